import { io, type Socket } from 'socket.io-client';
import type { Entry } from './history.ts';
import type { Attempt, Door } from './httpDoors.ts';
import { toError, type Sending } from './sending.ts';

/** What one wait for an ack may take. */
const ACK_MS = 30_000;
/** socket.io-client does not notice a connection that is cut within its handshake, but for its own limit of 20 s. */
const CONNECT_MS = 2_000;

export interface SocketDoor {
  readonly attempt: Attempt;
  readonly close: () => void;
}

interface Delta {
  readonly messageId: string;
  readonly offset: number;
  readonly text: string;
}

interface Ack {
  readonly ok: boolean;
  readonly error?: { readonly code: string };
  readonly chatId: string;
  readonly userMessageId: string;
  readonly messageId: string;
  readonly duplicate: boolean;
}

/**
 * Emits and handles the ack within its callback. A promise would be a trap: when ack and events come in one packet, the
 * events are handled before whoever awaits the ack knows the ids.
 */
const emit = (
  socket: Socket,
  [name, payload]: readonly [name: string, payload: unknown],
  onAck: (ack: Ack) => void,
): Promise<Ack> =>
  new Promise((resolve, reject) => {
    socket.timeout(ACK_MS).emit(name, payload, (error: Error | null, ack: Ack) => {
      const failure = error ?? (ack.ok ? null : toError(ack.error));
      if (failure) {
        reject(failure);
        return;
      }
      onAck(ack);
      resolve(ack);
    });
  });

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
    const done = (): void => {
      if (asking === asked) asking = null;
    };
    try {
      const payload = { messageId: current.ids.messageId, offset: current.held.length };
      await emit(asked, ['chat:resume', payload], done);
    } finally {
      done();
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
      timeout: CONNECT_MS,
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
    if (sending.ids !== null && !door.random.isTrue(door.repeats)) {
      await resume();
      return;
    }
    const ack = await emit(open, ['chat:send', sending.body], (ids) => sending.onAck(ids));
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
