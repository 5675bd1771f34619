import { setTimeout as delay } from 'node:timers/promises';
import { errorSpec } from '../../lib/errorCodes.ts';
import { AppError } from '../../lib/errors.ts';
import { newId } from '../../lib/ids.ts';
import type { Logger } from '../../lib/logger.ts';
import { requestContext } from '../../lib/requestContext.ts';
import type { SendMessage } from '../../schemas/chat.schemas.ts';
import {
  BATCH_MAX_ITEMS,
  batchItemSchema,
  type Batch,
  type BatchItem,
  type BatchResult,
} from '../../schemas/control.schemas.ts';
import { parseInput, toProblem } from '../../schemas/problem.ts';
import type { Actor } from '../auth/actor.ts';
import { limitError, type Limiter } from '../limits/index.ts';
import type { SendMessageUseCase } from './sendMessage.ts';
import { toSendAck, type SentMessage, type TurnPlan } from './turnPlan.ts';

export interface BatchOptions {
  readonly sendMessage: SendMessageUseCase;
  readonly logger: Logger;
}

/** Milliseconds that a batch waits in all for the limit of sends, which 50 messages at once are bound to meet. */
const LIMIT_WAIT_MS = 10_000;

/**
 * Sends what gathered while a client was offline, in order, and tells of each item what became of it. Resolves when all
 * are stored; the replies are generated one after the other. A failed item stops no other but those that need its chat,
 * and, while it can succeed later, those behind it in its chat: they would be stored in the wrong order.
 */
export type BatchUseCase = (actor: Actor, batch: Batch) => Promise<BatchResult[]>;

/** Waits for the limit of sends instead of failing at it, for so long in all. */
const patientCount = (): NonNullable<TurnPlan['count']> => {
  let leftMs = LIMIT_WAIT_MS;
  return async (limiter: Limiter, key: string) => {
    for (;;) {
      const { allowed, resetMs } = await limiter.hit(key);
      if (allowed) return;
      if (resetMs > leftMs) throw limitError(resetMs);
      leftMs -= resetMs;
      await delay(resetMs, undefined, { ref: false });
    }
  };
};

const isRetryable = ({ code }: AppError): boolean => errorSpec(code).retryable;

/** What the items so far mean for those behind them. */
const createProgress = () => {
  const chatOfItem = new Map<string, string | AppError>();
  const failedChats = new Map<string, AppError>();
  return {
    stored: ({ clientMessageId, chat }: SentMessage): void => void chatOfItem.set(clientMessageId, chat.id),
    failed: (clientMessageId: string | null, error: AppError): void => {
      if (clientMessageId !== null) chatOfItem.set(clientMessageId, error);
    },
    failedIn: (chatId: string | undefined, error: unknown): void => {
      if (chatId !== undefined && error instanceof AppError && isRetryable(error)) failedChats.set(chatId, error);
    },
    /** The chat that an item goes into. @throws AppError when that was to be made by an item which failed */
    chatOf: ({ chatId, chatOf }: BatchItem): string | undefined => {
      if (chatOf === undefined) return chatId;
      const made = chatOfItem.get(chatOf);
      if (typeof made === 'string') return made;
      if (made && isRetryable(made)) throw made;
      if (made) throw new AppError('CHAT_NOT_FOUND', { detail: 'The item that was to make the chat failed' });
      throw new AppError('VALIDATION_FAILED', { errors: [{ path: 'chatOf', message: 'must name an earlier item' }] });
    },
    /** Why nothing new goes into a chat any more. */
    failureIn: (chatId: string | undefined): AppError | undefined =>
      chatId === undefined ? undefined : failedChats.get(chatId),
  };
};

const idOf = (item: unknown): string | null =>
  typeof item === 'object' && item !== null && 'clientMessageId' in item && typeof item.clientMessageId === 'string'
    ? item.clientMessageId
    : null;

export const createBatch = ({ sendMessage, logger }: BatchOptions): BatchUseCase => {
  const log = logger.child('batch');

  const known = (error: unknown): AppError => {
    if (error instanceof AppError) return error;
    log.error('an item could not be sent', { err: error });
    return new AppError('INTERNAL', { cause: error });
  };

  return async (actor, { items }) => {
    const requestId = requestContext.get()?.requestId ?? newId();
    const progress = createProgress();
    const count = patientCount();

    const send = async (given: unknown): Promise<SentMessage> => {
      const item = parseInput(batchItemSchema, given);
      const chatId = progress.chatOf(item);
      const failure = progress.failureIn(chatId);
      const { chatOf: _chatOf, ...fields } = item;
      const input: SendMessage = { ...fields, ...(chatId === undefined ? {} : { chatId }) };
      // A known item is found in a failed chat too.
      const counted = failure ? () => Promise.reject(failure) : count;
      try {
        return await sendMessage(actor, input, { maxWaiting: BATCH_MAX_ITEMS, count: counted });
      } catch (error) {
        progress.failedIn(chatId, error);
        throw error;
      }
    };

    const results: BatchResult[] = [];
    for (const item of items) {
      try {
        const sent = await send(item);
        progress.stored(sent);
        results.push({ ok: true, ...toSendAck(sent) });
      } catch (error) {
        const reason = known(error);
        progress.failed(idOf(item), reason);
        results.push({ ok: false, clientMessageId: idOf(item), error: toProblem(reason, requestId) });
      }
    }
    return results;
  };
};
