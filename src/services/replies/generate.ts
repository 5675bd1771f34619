import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Metrics } from '../../lib/metrics.ts';
import { preview } from '../../lib/text.ts';
import type { Message, Usage } from '../../models/entities.ts';
import type { MessageStore, ReplyEnd } from '../../models/stores.ts';
import type { ContextService } from '../context/index.ts';
import type { LlmRouter, RoutedPart } from '../llm/router.types.ts';
import { endingOf } from './failure.ts';
import { ReplyStopped, type LiveReply } from './liveReply.ts';
import type { SettledReply } from './reply.ts';
import type { ReplyLog } from './replyLog.ts';

/** UTF-16 units that a reply may have; a model that does not stop is stopped there. */
const MAX_REPLY_UNITS = 1024 * 1024;
/** Milliseconds between tries to store a reply's end, and how many: after that the reaper closes it. */
const SETTLE_RETRY_MS = 500;
const SETTLE_TRIES = 60;

export interface GenerateOptions {
  readonly messages: Pick<MessageStore, 'startReply' | 'settleReply'>;
  readonly context: ContextService;
  readonly router: LlmRouter;
  readonly replyLog: ReplyLog;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** What a generation has learned so far. */
interface Progress {
  model: string | null;
  usage: Usage | null;
  finishReason: string | null;
  firstTokenAt: number | null;
}

/** Generates one reply from its question to its stored end. Resolves when the reply is settled, and never rejects. */
export type Generate = (reply: LiveReply, question: Message, model: string) => Promise<void>;

export const createGenerate = (options: GenerateOptions): Generate => {
  const { messages, context, router, replyLog, clock, metrics } = options;
  const log = options.logger.child('replies');

  const onText = (reply: LiveReply, progress: Progress, text: string): void => {
    if (text === '') return;
    if (progress.firstTokenAt === null) {
      progress.firstTokenAt = clock.now();
      // Only a status for readers: if it fails, the log's text says the same.
      messages
        .startReply(reply.ownerId, reply.messageId, progress.model ?? '', new Date(clock.now()))
        .catch((error: unknown) => {
          log.warn('could not mark the reply as streaming', { err: error });
        });
    }
    reply.append(text);
    replyLog.add(reply);
  };

  const onPart = (reply: LiveReply, progress: Progress, part: RoutedPart): void => {
    switch (part.type) {
      case 'model':
        progress.model = part.model;
        reply.setModel(part.model, part.reason);
        break;
      case 'delta':
        onText(reply, progress, part.text);
        break;
      case 'reasoning':
        reply.reasoning(part.text);
        break;
      case 'usage':
        progress.usage = part.usage;
        break;
      case 'finish':
        progress.finishReason = part.reason;
        break;
    }
  };

  const stream = async (
    reply: LiveReply,
    request: { question: Message; model: string },
    progress: Progress,
  ): Promise<void> => {
    const window = await context.build(reply.chat, request.question);
    reply.signal.throwIfAborted();
    const parts = router.stream({ model: request.model, chatId: reply.chatId, messages: window }, reply.signal);
    for await (const part of parts) {
      onPart(reply, progress, part);
      if (reply.fullText().length > MAX_REPLY_UNITS) {
        progress.finishReason = 'length';
        break;
      }
    }
  };

  /** Stores the end; null when the reply was settled by someone else or deleted. */
  const store = async (reply: LiveReply, end: ReplyEnd): Promise<SettledReply | null> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const stored = await messages.settleReply(reply.ownerId, reply.messageId, end);
        return stored && { message: stored.reply, chat: stored.chat };
      } catch (error) {
        if (attempt === SETTLE_TRIES) throw error;
        log.warn('the end of a reply could not be stored, trying again', { attempt, err: error });
        await delay(SETTLE_RETRY_MS, undefined, { ref: false });
      }
    }
  };

  const settle = async (reply: LiveReply, end: ReplyEnd): Promise<void> => {
    const unstored = (): SettledReply => ({
      chat: reply.chat,
      message: { ...reply.current(), ...end, content: reply.current().content, updatedAt: end.at, lease: null },
    });
    try {
      const settled = (await store(reply, end)) ?? unstored();
      context.remember(settled.message);
      reply.settle(settled);
    } catch (error) {
      log.error('the end of a reply could not be stored', { messageId: reply.messageId, err: error });
      reply.settle(unstored());
    }
  };

  return async (reply, question, model) => {
    const startedAt = clock.now();
    const progress: Progress = { model: null, usage: null, finishReason: null, firstTokenAt: null };
    let ending: ReturnType<typeof endingOf> = { status: 'complete', error: null };
    try {
      await stream(reply, { question, model }, progress);
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
      model: progress.model,
      finishReason: progress.finishReason,
      usage: progress.usage,
      latencyMs: {
        firstToken: progress.firstTokenAt === null ? null : progress.firstTokenAt - startedAt,
        total: now - startedAt,
      },
      segments: null,
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
