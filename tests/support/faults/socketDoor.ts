import { io, type Socket } from 'socket.io-client';
import type { Entry } from './history.ts';
import type { Attempt, Door } from './httpDoors.ts';
import { toError, type Sending } from './sending.ts';

/** What one wait for an ack may take. */
const ACK_MS = 30_000;

export interface SocketDoor {
  readonly attempt: Attempt;
  readonly close: () => void;
}

interface Delta {
  readonly messageId: string;
  readonly offset: number;
  readonly text: string;
}

/** A socket that is connected anew for every try that needs it, as after a reload: nothing is kept but what the client holds. */
export const createSocketDoor = (record: (entry: Entry) => void): SocketDoor => {
  let socket: Socket | null = null;
  let current: Sending | null = null;
  /** The connection on which an answer to `chat:resume` is waited for. */
  let asking: Socket | null = null;

  const isOwn = (messageId: string): boolean => current?.ids?.messageId === messageId;

  /** Asks for what is missing from `held` on. */
  const resume = async (): Promise<void> => {
    const asked = socket;
    if (asking === asked || !current?.ids || !asked) return;
    asking = asked;
    try {
      const payload = { messageId: current.ids.messageId, offset: current.held.length };
      const ack = await asked.timeout(ACK_MS).emitWithAck('chat:resume', payload);
      if (!ack.ok) throw toError(ack.error);
    } finally {
      if (asking === asked) asking = null;
    }
  };
  /** A hole closes by asking again; if that is lost too, the next try asks. */
  const mend = (): void => void resume().catch(() => undefined);

  const listen = (to: Socket): void => {
    to.on('chat:delta', ({ messageId, offset, text }: Delta) => {
      if (!isOwn(messageId)) record({ kind: 'shown', messageId, offset, text });
      else if (!current?.onDelta({ offset, text })) mend();
    });
    to.on('chat:reset', ({ messageId, length }: { messageId: string; length: number }) => {
      if (isOwn(messageId)) current?.onReset(length);
    });
    for (const name of ['chat:end', 'chat:failed']) {
      to.on(name, (end: { messageId: string; status: string; length: number }) => {
        if (!isOwn(end.messageId)) record({ kind: 'ended', ...end, held: null });
        else if (!current?.onEnd(end)) mend();
      });
    }
  };

  const connect = (door: Door): Promise<Socket> => {
    socket?.close();
    const made = io(door.url, {
      transports: ['websocket'],
      auth: { token: door.token },
      forceNew: true,
      reconnection: false,
      timeout: ACK_MS,
    });
    socket = made;
    listen(made);
    return new Promise((resolve, reject) => {
      made.once('connect', () => resolve(made));
      made.once('disconnect', (reason) => reject(new Error(reason)));
      made.once('connect_error', (error: Error & { data?: { code: string } }) => {
        reject(error.data ? toError(error.data) : error);
      });
    });
  };

  const disconnected = (from: Socket, signal: AbortSignal): Promise<never> =>
    new Promise((_resolve, reject) => {
      from.once('disconnect', (reason) => reject(new Error(reason)));
      signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
    });

  /** Sends, or sends the same once more, or asks for the rest. */
  const ask = async (open: Socket, door: Door, sending: Sending): Promise<void> => {
    if (sending.ids !== null && door.random.isTrue(0.7)) {
      await resume();
      return;
    }
    const ack = await open.timeout(ACK_MS).emitWithAck('chat:send', sending.body);
    if (!ack.ok) throw toError(ack.error);
    sending.onAck(ack);
    if (ack.duplicate) await resume();
  };

  const attempt: Attempt = async (door, sending) => {
    current = sending;
    const open = socket?.connected ? socket : await connect(door);
    const lost = disconnected(open, door.signal);
    lost.catch(() => undefined);
    await Promise.race([ask(open, door, sending), lost]);
    await Promise.race([sending.over, lost]);
  };

  return { attempt, close: () => void socket?.close() };
};
