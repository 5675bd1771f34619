import { setTimeout as delay } from 'node:timers/promises';
import type { Request, Response } from 'express';
import { AppError } from '../lib/errors.ts';
import { toChatView } from '../schemas/chat.schemas.ts';
import { replyProblem, toMessageView } from '../schemas/message.schemas.ts';
import type { SentMessage } from '../services/chat/index.ts';
import type { SettledReply } from '../services/replies/index.ts';
import { goneSignal } from './replyStream.ts';

export interface AnswerOptions {
  readonly sent: SentMessage;
  /** Milliseconds until the answer is a 202 that says where the reply can be followed. */
  readonly waitMs: number;
  readonly closing: AbortSignal;
  readonly req: Request;
  readonly res: Response;
}

/** The reply when it is final within the time, else null. */
const settledWithin = async (sent: SentMessage, waitMs: number, signal: AbortSignal): Promise<SettledReply | null> => {
  const timer = new AbortController();
  const late = delay(waitMs, null, { signal: AbortSignal.any([signal, timer.signal]) }).catch(() => null);
  try {
    return await Promise.race([sent.reply.done(), late]);
  } finally {
    timer.abort();
  }
};

const hasFailed = ({ message }: SettledReply): boolean =>
  message.status === 'failed' || message.status === 'interrupted';

/** A reply that did not end well, as the problem that JSON clients get; it names what is stored nevertheless. */
const failure = (sent: SentMessage, { message }: SettledReply): AppError => {
  const problem = replyProblem(message);
  return new AppError(problem.code, {
    detail: problem.detail,
    ...(problem.retryAfterMs === undefined ? {} : { retryAfterMs: problem.retryAfterMs }),
    extra: { chatId: message.chatId, userMessageId: sent.userMessage.id, messageId: message.id },
  });
};

/** Answers a send as JSON: 200 with the final reply, 202 when it is not final yet, or the problem that it met. */
export const answerWithReply = async ({ sent, waitMs, closing, res }: AnswerOptions): Promise<void> => {
  const settled = await settledWithin(sent, waitMs, goneSignal(res, closing));
  if (settled && hasFailed(settled)) throw failure(sent, settled);
  if (!settled) res.status(202).location(`/api/chat/messages/${sent.reply.messageId}/stream`);
  res.json({
    chat: toChatView(settled?.chat ?? sent.chat),
    userMessage: toMessageView(sent.userMessage),
    message: toMessageView({ ...(settled?.message ?? sent.reply.current()), siblings: sent.replySiblings }),
    duplicate: sent.duplicate,
  });
};
