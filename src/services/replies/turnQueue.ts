import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { isFinal, type Lease, type Message } from '../../models/entities.ts';
import type { MessageStore } from '../../models/stores.ts';
import type { LiveReply } from './liveReply.ts';

/** Milliseconds between two looks whether another node's reply in the same chat has ended. */
const POLL_MS = 250;

/** A reply with what it takes to generate it. */
export interface QueuedTurn {
  readonly reply: LiveReply;
  readonly question: Message;
  readonly model: string;
  /** Whether the store put it behind another reply of its chat. */
  readonly mustWait: boolean;
}

export interface TurnQueueOptions {
  readonly messages: Pick<MessageStore, 'listUnfinished' | 'claimReply' | 'findMessage'>;
  readonly lease: () => Lease;
  readonly run: (reply: LiveReply, question: Message, model: string) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One reply at a time in each chat, in the order in which the store took the questions. */
export interface TurnQueue {
  /** Resolves when the reply is settled; or, after `close`, when it is left to the next process. */
  add(turn: QueuedTurn): Promise<void>;
  /** Starts no more replies; those that wait stay `queued` in the store. */
  close(): void;
}

export const createTurnQueue = (options: TurnQueueOptions): TurnQueue => {
  const { messages, lease, run, clock } = options;
  const chains = new Map<string, Promise<unknown>>();
  const closing = new AbortController();

  const isFirst = async ({ reply }: QueuedTurn): Promise<boolean> => {
    const [first] = await messages.listUnfinished(reply.ownerId, reply.chatId);
    return first === undefined || first.id === reply.messageId;
  };

  /** Waits for replies that run elsewhere, or that a dead node left and nobody has closed yet. */
  const waitUntilFirst = async (turn: QueuedTurn): Promise<void> => {
    const signal = AbortSignal.any([closing.signal, turn.reply.signal]);
    while (!signal.aborted && !(await isFirst(turn))) {
      await delay(POLL_MS, undefined, { ref: false, signal }).catch(() => undefined);
    }
  };

  /** Someone else settled or claimed the reply: followers here get its end when it has one. */
  const adopt = async ({ reply }: QueuedTurn): Promise<void> => {
    while (!closing.signal.aborted) {
      const message = await messages.findMessage(reply.ownerId, reply.messageId);
      if (!message || isFinal(message.status)) {
        reply.settle({ chat: reply.chat, message: message ?? { ...reply.current(), status: 'stopped' } });
        return;
      }
      await delay(POLL_MS, undefined, { ref: false, signal: closing.signal }).catch(() => undefined);
    }
  };

  const runInTurn = async (turn: QueuedTurn, before: Promise<unknown>): Promise<void> => {
    const { reply, question, model } = turn;
    const stopped = new Promise<void>((resolve) => {
      reply.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([before, stopped]);
    await waitUntilFirst(turn);
    if (closing.signal.aborted) return;
    const isOurs =
      reply.signal.aborted ||
      (await messages.claimReply(reply.ownerId, reply.messageId, lease(), new Date(clock.now())));
    if (isOurs) await run(reply, question, model);
    else await adopt(turn);
  };

  return {
    add: (turn) => {
      const { chatId } = turn.reply;
      const before = chains.get(chatId) ?? Promise.resolve();
      const work = turn.mustWait ? runInTurn(turn, before) : run(turn.reply, turn.question, turn.model);
      const chain = Promise.allSettled([before, work]).then(() => {
        if (chains.get(chatId) === chain) chains.delete(chatId);
      });
      chains.set(chatId, chain);
      return work;
    },
    close: () => {
      closing.abort();
    },
  };
};
