import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../lib/clock.ts';
import { isAppError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { isFinal, type Chat, type Lease, type Message } from '../../models/entities.ts';
import type { Stores } from '../../models/stores.ts';
import type { LiveReply } from './liveReply.ts';

/** Milliseconds between two looks at the store: whether another node's reply has ended, whether the database is back. */
const POLL_MS = 250;

/** A reply with what it takes to generate it. */
export interface QueuedTurn {
  readonly reply: LiveReply;
  readonly chat: Chat;
  readonly question: Message;
  /** Whether the store put it behind another reply of its chat. */
  readonly mustWait: boolean;
  /** Whether another model may continue the reply when it breaks off; undefined: as configured. */
  readonly continues?: boolean | undefined;
}

export interface TurnQueueOptions {
  readonly stores: Pick<Stores, 'chats' | 'messages'>;
  readonly lease: () => Lease;
  /** Generates a reply whose turn it is, with its chat as it is then. */
  readonly run: (turn: QueuedTurn) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * One reply at a time in each chat, in the order of `seq`. The store alone decides whose turn it is, so that neither the
 * order in which this node heard of the turns matters nor which node runs them; what happens here only saves time.
 */
export interface TurnQueue {
  /** Resolves when the reply is settled; or, after `close`, when it is left to the next process. */
  add(turn: QueuedTurn): Promise<void>;
  /** Starts no more replies; those that wait stay `queued` in the store. Resolves when those whose turn had come run. */
  close(): Promise<void>;
}

export const createTurnQueue = (options: TurnQueueOptions): TurnQueue => {
  const { stores, lease, run, clock } = options;
  const { messages, chats } = stores;
  const log = options.logger.child('turn-queue');
  const closing = new AbortController();
  const claims = new Set<Promise<unknown>>();
  /** Called when a reply of the chat has ended on this node. */
  const waiting = new Map<string, Set<() => void>>();

  const pause = (signal: AbortSignal): Promise<void> =>
    delay(POLL_MS, undefined, { ref: false, signal }).catch(() => undefined);

  /** Asks the store until it answers: a waiting reply outlives an outage. Null when the node closes first. */
  const untilAnswered = async <T>(ask: () => Promise<T>): Promise<T | null> => {
    while (!closing.signal.aborted) {
      try {
        return await ask();
      } catch (error) {
        if (!isAppError(error, 'STORE_UNAVAILABLE')) throw error;
        log.warn('the store did not answer, asking again', { err: error });
        await pause(closing.signal);
      }
    }
    return null;
  };

  const isFirst = async ({ reply }: QueuedTurn): Promise<boolean> => {
    const unfinished = await untilAnswered(() => messages.listUnfinished(reply.ownerId, reply.chatId));
    const first = unfinished?.[0];
    return first === undefined || first.id === reply.messageId;
  };

  /** Resolves when a reply of the chat ended here, or it is time to look whether one ended elsewhere. */
  const nextLook = async (chatId: string, signal: AbortSignal): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const wake = (): void => resolve(undefined);
    const wakers = waiting.get(chatId) ?? new Set();
    waiting.set(chatId, wakers.add(wake));
    await Promise.race([promise, pause(signal)]);
    wakers.delete(wake);
    if (wakers.size === 0) waiting.delete(chatId);
  };

  const waitForTurn = async (turn: QueuedTurn): Promise<void> => {
    const signal = AbortSignal.any([closing.signal, turn.reply.signal]);
    while (!signal.aborted && !(await isFirst(turn))) await nextLook(turn.reply.chatId, signal);
  };

  /** Someone else settled or claimed the reply: followers here get its end when it has one. */
  const adopt = async ({ reply, chat }: QueuedTurn): Promise<void> => {
    for (;;) {
      const answer = await untilAnswered(async () => ({
        message: await messages.findMessage(reply.ownerId, reply.messageId),
      }));
      if (!answer) return;
      const { message } = answer;
      if (!message || isFinal(message.status)) {
        reply.settle({ chat, message: message ?? { ...reply.current(), status: 'stopped' } });
        return;
      }
      await pause(closing.signal);
    }
  };

  const claim = async (reply: LiveReply, at: Date): Promise<boolean> => {
    const claimed = untilAnswered(() => messages.claimReply(reply.ownerId, reply.messageId, lease(), at));
    claims.add(claimed);
    const isOurs = await claimed.finally(() => claims.delete(claimed));
    return isOurs ?? false;
  };

  const runInTurn = async (turn: QueuedTurn): Promise<void> => {
    const { reply } = turn;
    await waitForTurn(turn);
    if (closing.signal.aborted) return;
    const at = new Date(clock.now());
    // One that was stopped while it waited is settled as it is; it needs no lease for that.
    const isStopped = reply.signal.aborted;
    if (!(isStopped || (await claim(reply, at)))) {
      await adopt(turn);
      return;
    }
    if (!isStopped) reply.advance('pending', at);
    // The chat's model or prompt may have been changed while the reply waited.
    const chat = await untilAnswered(() => chats.findChat(reply.ownerId, reply.chatId));
    await run({ ...turn, chat: chat ?? turn.chat });
  };

  return {
    add: async (turn) => {
      try {
        await (turn.mustWait ? runInTurn(turn) : run(turn));
      } finally {
        for (const wake of waiting.get(turn.reply.chatId) ?? []) wake();
      }
    },
    close: async () => {
      closing.abort();
      await Promise.allSettled(claims);
    },
  };
};
