import { AppError } from '../../lib/errors.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Metrics } from '../../lib/metrics.ts';
import { preview } from '../../lib/text.ts';
import type { Chat, Message } from '../../models/entities.ts';
import type { Stores } from '../../models/stores.ts';
import type { ContextService } from '../context/index.ts';
import type { LlmMessage } from '../llm/provider.ts';
import type { LlmRouter, RoutedPart } from '../llm/router.types.ts';
import { endingOf } from './failure.ts';
import { ReplyStopped, type LiveReply } from './liveReply.ts';
import type { ReplyLog } from './replyLog.ts';
import { createSettle } from './settle.ts';
import { segmentsOf, withWriter, type Writer } from './writers.ts';
import { createAnswerUsage, unitsOf, type AnswerUsage, type BookedAnswer, type UsageService } from '../usage/index.ts';

/** UTF-16 units that a reply may have; a model that does not stop is stopped there. */
const MAX_REPLY_UNITS = 1024 * 1024;

export interface GenerateOptions {
  readonly stores: Pick<Stores, 'chats' | 'messages'>;
  readonly context: ContextService;
  readonly router: LlmRouter;
  readonly usage: Pick<UsageService, 'recorder'>;
  readonly replyLog: ReplyLog;
  /** As in this node's leases. */
  readonly nodeId: string;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** What a generation has learned so far. */
interface Progress {
  model: string | null;
  /** Who wrote from where on, in order; the last one may not have written anything. */
  writers: readonly Writer[];
  /** Of nothing until it is known what the models are sent. */
  usage: AnswerUsage;
  finishReason: string | null;
  firstTokenAt: number | null;
}

/** Generates one reply from its question to its stored end. Resolves when the reply is settled, and never rejects. */
export type Generate = (turn: GeneratedTurn) => Promise<void>;

/** A reply with all that it is made from. */
export interface GeneratedTurn {
  readonly reply: LiveReply;
  readonly chat: Chat;
  readonly question: Message;
  /** What the router may be asked for. */
  readonly model: string;
  /** Whether another model may continue the reply when it breaks off; undefined: as configured. */
  readonly continues?: boolean | undefined;
}

/** What the calls for a reply are written down with. */
const booked = (reply: LiveReply, window: readonly LlmMessage[]): BookedAnswer => ({
  kind: 'reply',
  ownerId: reply.ownerId,
  createdBy: reply.current().createdBy,
  id: reply.messageId,
  chatId: reply.chatId,
  messageId: reply.messageId,
  promptUnits: unitsOf(window),
  answerUnits: () => reply.fullText().length,
});

/** Pictures alone, say, are no answer here, and no fault of the model; any other reason to end tells why there is no text. */
const checkText = ({ finishReason }: Progress, text: string): void => {
  if (finishReason !== 'stop' || text.trim() !== '') return;
  throw new AppError('LLM_FAILED', { detail: 'The model answered, but not with text' });
};

export const createGenerate = (options: GenerateOptions): Generate => {
  const { context, router, usage, replyLog, nodeId, clock, metrics } = options;
  const { messages } = options.stores;
  const settle = createSettle(options);
  const log = options.logger.child('replies');

  const onText = (reply: LiveReply, progress: Progress, text: string): void => {
    if (text === '') return;
    if (progress.firstTokenAt === null) {
      progress.firstTokenAt = clock.now();
    }
    reply.append(text);
    replyLog.add(reply);
  };

  const onPart = (reply: LiveReply, progress: Progress, part: RoutedPart): void => {
    progress.usage.add(part);
    switch (part.type) {
      case 'model':
        progress.model = part.model;
        progress.writers = withWriter(progress.writers, {
          model: part.model,
          from: reply.fullText().length,
          reason: part.reason,
        });
        reply.setModel(part.model, part.reason);
        break;
      case 'delta':
      case 'refusal':
        onText(reply, progress, part.text);
        break;
      case 'reasoning':
        if (part.text !== '') reply.reasoning(part.text);
        break;
      case 'finish':
        progress.finishReason = part.reason;
        break;
      case 'usage':
      default:
        // `origin`, `tool_calls`, `extra`, `restart`. The first is added up above, the second is for the books, which the router tells; nobody asks with tools here, or for
        // pictures, or for a whole answer: what comes is shown as it comes, whichever door asked.
        break;
    }
  };

  /**
   * Written before the first call goes out: so it is known, should this process die, whether a model may have been asked;
   * and whoever settled the reply in the meantime keeps the model from being asked at all.
   */
  const markAsked = async (reply: LiveReply, model: string): Promise<void> => {
    const at = new Date(clock.now());
    const isOurs = await messages.startReply(reply.ownerId, reply.messageId, model, { nodeId, at });
    if (!isOurs) throw new ReplyStopped('lease-lost');
    reply.advance('streaming', at);
  };

  const stream = async (
    { reply, chat, question, model, continues }: GeneratedTurn,
    progress: Progress,
  ): Promise<void> => {
    const window = await context.build(chat, question);
    reply.signal.throwIfAborted();
    progress.usage = createAnswerUsage(unitsOf(window));
    const parts = router.stream(
      {
        model,
        chatId: chat.id,
        messages: window,
        onAttempt: usage.recorder(booked(reply, window)),
        ...(continues === undefined ? {} : { continues }),
      },
      reply.signal,
    );
    for await (const part of parts) {
      const isFirst = progress.model === null;
      onPart(reply, progress, part);
      // The router names the model and asks it only when the next part is wanted.
      if (isFirst && progress.model !== null) await markAsked(reply, progress.model);
      if (reply.fullText().length > MAX_REPLY_UNITS) {
        progress.finishReason = 'length';
        break;
      }
    }
    checkText(progress, reply.fullText());
  };

  return async (turn) => {
    const { reply } = turn;
    const startedAt = clock.now();
    const progress: Progress = {
      model: null,
      writers: [],
      usage: createAnswerUsage(0),
      finishReason: null,
      firstTokenAt: null,
    };
    let ending: ReturnType<typeof endingOf> = { status: 'complete', error: null };
    try {
      await stream(turn, progress);
    } catch (error) {
      ending = endingOf(error);
      const level = ending.status !== 'failed' ? 'info' : ending.error?.code === 'INTERNAL' ? 'error' : 'warn';
      log[level]('reply ended early', {
        messageId: reply.messageId,
        reason: error instanceof ReplyStopped ? error.reason : error,
      });
    }
    replyLog.remove(reply);
    const now = clock.now();
    const content = reply.fullText();
    await settle(reply, {
      ...ending,
      content,
      model: progress.model ?? reply.current().model,
      finishReason: progress.finishReason,
      usage: progress.usage.sum(),
      latencyMs: {
        firstToken: progress.firstTokenAt === null ? null : progress.firstTokenAt - startedAt,
        total: now - startedAt,
      },
      segments: segmentsOf(progress.writers, content.length),
      preview: content === '' ? null : preview(content),
      at: new Date(now),
    });
    metrics.replySettled(ending.status);
    metrics.chatMessage('assistant', progress.model ?? 'none');
    log.info('reply settled', {
      messageId: reply.messageId,
      chatId: reply.chatId,
      userId: reply.ownerId,
      model: progress.model,
      status: ending.status,
      length: content.length,
      durationMs: now - startedAt,
    });
  };
};
