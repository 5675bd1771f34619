import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../lib/clock.ts';
import { isAppError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Message, Turn } from '../../models/entities.ts';
import type { Stores } from '../../models/stores.ts';
import type { ReplyHandle } from './reply.ts';
import { createStoredReply } from './storedReply.ts';

/** Milliseconds between two looks at a reply that another node was to start. */
const POLL_MS = 250;

export interface TakeOverOptions {
  readonly stores: Pick<Stores, 'chats' | 'messages'>;
  readonly start: (turn: Turn, clientMessageId: string) => ReplyHandle;
  readonly live: (messageId: string) => ReplyHandle | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A turn that was asked for again. */
export interface RepeatedTurn {
  /** As it is stored. */
  readonly turn: Turn;
  readonly clientMessageId: string;
  /** The model that is wanted now; null: the one that was wanted first. */
  readonly model: string | null;
}

/** Replies that were asked for again before any model was asked for them. */
export interface TakeOver {
  /** As `RepliesService.retry`. */
  retry(repeated: RepeatedTurn): Promise<ReplyHandle>;
  /** The reply as it will be, if it was asked for again here and waits for its lease to end; else null. */
  awaited(message: Message): ReplyHandle | null;
  /** Takes over nothing more. */
  close(): Promise<void>;
}

/** Whether, for all that this copy says, no model was asked for the reply and one may be yet. */
const isUnasked = ({ status, content }: Message): boolean =>
  status === 'queued' || status === 'pending' || (status === 'interrupted' && content === '');

/** The value, or null as soon as the signal is aborted. */
const unlessAborted = async <T>(promise: Promise<T>, signal: AbortSignal): Promise<T | null> => {
  if (signal.aborted) return null;
  const aborted = Promise.withResolvers<null>();
  const onAbort = (): void => aborted.resolve(null);
  signal.addEventListener('abort', onAbort);
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
};

/** A reply of which it is not known yet who generates it. */
const createAwaitedReply = (message: Message, outcome: Promise<ReplyHandle>): ReplyHandle => {
  let known: ReplyHandle | null = null;
  outcome.then(
    (reply) => (known = reply),
    () => undefined,
  );

  async function* follow(...[offset, signal]: Parameters<ReplyHandle['follow']>): ReturnType<ReplyHandle['follow']> {
    const reply = await unlessAborted(outcome, signal);
    if (reply) yield* reply.follow(offset, signal);
  }

  return {
    messageId: message.id,
    chatId: message.chatId,
    follow,
    current: () => known?.current() ?? message,
    done: () => outcome.then((reply) => reply.done()),
  };
};

interface Wait {
  readonly repeated: RepeatedTurn;
  /** How often the reply was interrupted and could not be reopened. */
  refusals: number;
}

export const createTakeOver = (options: TakeOverOptions): TakeOver => {
  const { stores, start, live, clock } = options;
  const { messages } = stores;
  const log = options.logger.child('take-over');
  const closing = new AbortController();
  const waits = new Map<string, Promise<ReplyHandle>>();

  const stored = (message: Message, clientMessageId: string): ReplyHandle =>
    live(message.id) ?? createStoredReply({ stores, message, clientMessageId });

  const isAbandoned = ({ status, lease }: Message): boolean =>
    status === 'interrupted' || (status === 'pending' && (lease?.until.getTime() ?? 0) < clock.now());

  /** The reply, whoever generates it or has ended it; null while it may be that nobody will. */
  const look = async (wait: Wait, reply: Message): Promise<ReplyHandle | null> => {
    const { turn, clientMessageId, model } = wait.repeated;
    const isHere = live(reply.id) !== undefined;
    if (isHere || !isUnasked(reply)) return stored(reply, clientMessageId);
    if (!isAbandoned(reply)) return null;
    const reopened = await messages.reopenReply(reply.ownerId, reply.id, new Date(clock.now()));
    if (reopened) return start({ ...turn, reply: { ...reopened, model: model ?? reopened.model } }, clientMessageId);
    // A model had been asked, or another retry was faster, or its end is seen but not all written yet (models/mongo).
    if (reply.status === 'interrupted') wait.refusals += 1;
    return wait.refusals > 1 ? stored(reply, clientMessageId) : null;
  };

  const lookAgain = async (wait: Wait): Promise<ReplyHandle | null> => {
    const { turn, clientMessageId } = wait.repeated;
    try {
      const reply = await messages.findMessage(turn.reply.ownerId, turn.reply.id);
      // One that was deleted says so to whoever follows it.
      return reply ? await look(wait, reply) : stored(turn.reply, clientMessageId);
    } catch (error) {
      if (!isAppError(error, 'STORE_UNAVAILABLE')) throw error;
      log.warn('the store did not answer, asking again', { err: error });
      return null;
    }
  };

  const untilKnown = async (wait: Wait): Promise<ReplyHandle> => {
    const { turn, clientMessageId } = wait.repeated;
    for (;;) {
      await delay(POLL_MS, undefined, { ref: false, signal: closing.signal }).catch(() => undefined);
      if (closing.signal.aborted) return stored(turn.reply, clientMessageId);
      const reply = await lookAgain(wait);
      if (reply) return reply;
    }
  };

  /** However many ask, one waits; and it does so whether or not they stay. */
  const waitOnce = (wait: Wait): Promise<ReplyHandle> => {
    const { id } = wait.repeated.turn.reply;
    const begun = waits.get(id);
    if (begun) return begun;
    const outcome = untilKnown(wait).finally(() => waits.delete(id));
    outcome.catch((error: unknown) => log.error('a reply could not be taken over', { messageId: id, err: error }));
    waits.set(id, outcome);
    return outcome;
  };

  return {
    retry: async (repeated) => {
      const wait = { repeated, refusals: 0 };
      const { reply } = repeated.turn;
      return (await look(wait, reply)) ?? createAwaitedReply(reply, waitOnce(wait));
    },
    awaited: (message) => {
      const outcome = isUnasked(message) ? waits.get(message.id) : undefined;
      return outcome ? createAwaitedReply(message, outcome) : null;
    },
    close: async () => {
      closing.abort();
      await Promise.allSettled(waits.values());
    },
  };
};
