import { io } from 'socket.io-client';
import { connectRaw } from '../rawSocket.ts';
import type { Actor } from './actors.ts';
import type { Findings } from './tally.ts';

/** A user who does nothing wrong, beside those who do. */
export interface Witness {
  /** Sends a message at each live door and reads the reply to its end; milliseconds. */
  readonly send: () => Promise<void>;
  readonly sends: () => number;
  readonly slowestMs: () => number;
  readonly close: () => void;
}

const ANSWER_MS = 30_000;

export const createWitness = async (url: string, actor: Actor, findings: Findings): Promise<Witness> => {
  const socket = io(url, {
    transports: ['websocket'],
    auth: { token: actor.token },
    forceNew: true,
    reconnection: false,
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  const raw = await connectRaw(url, { token: actor.token ?? '' });
  let sends = 0;
  let slowest = 0;

  const overSocketIo = async (): Promise<void> => {
    const ended = new Set<string>();
    const listeners = new Set<() => void>();
    const onEnd = ({ messageId }: { messageId: string }): void => {
      ended.add(messageId);
      for (const listener of listeners) listener();
    };
    socket.on('chat:end', onEnd);
    const ack = await socket.timeout(ANSWER_MS).emitWithAck('chat:send', { content: 'a fair question' });
    if (ack.ok !== true) throw new Error(JSON.stringify(ack));
    if (!ended.has(ack.messageId)) {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('no end of the reply')), ANSWER_MS);
        listeners.add(() => {
          if (!ended.has(ack.messageId)) return;
          clearTimeout(timer);
          resolve();
        });
      });
    }
    socket.off('chat:end', onEnd);
  };
  const overRaw = async (): Promise<void> => {
    const ended = raw.next('end');
    const answer = await raw.ask({ type: 'message', content: 'a fair question' });
    if (answer.ok !== true) throw new Error(JSON.stringify(answer));
    await ended;
  };

  return {
    send: async () => {
      const startedAt = performance.now();
      try {
        await overSocketIo();
        await overRaw();
        sends += 2;
      } catch (error) {
        findings.add('the fair user was not served', String(error));
      }
      slowest = Math.max(slowest, performance.now() - startedAt);
    },
    sends: () => sends,
    slowestMs: () => slowest,
    close: () => {
      socket.close();
      raw.close();
    },
  };
};
