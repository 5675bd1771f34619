import { z } from 'zod';
import { errorSpec, ERROR_CODES, type ErrorCode } from '../lib/errorCodes.ts';
import type { Feedback, Message } from '../models/entities.ts';
import { timestamp } from './common.ts';
import { problemSchema, type Problem } from './problem.ts';

export const usageSchema = z
  .strictObject({
    promptTokens: z.int(),
    completionTokens: z.int(),
    totalTokens: z.int(),
    reasoningTokens: z.int().optional(),
    cachedTokens: z.int().optional(),
    costMicroUsd: z.int().optional(),
    estimated: z.boolean().optional(),
  })
  .meta({ id: 'Usage' });

export const messageSchema = z
  .strictObject({
    id: z.string(),
    chatId: z.string(),
    seq: z.int(),
    parentId: z.string().nullable(),
    role: z.enum(['user', 'assistant', 'system']),
    content: z.string(),
    status: z.enum(['queued', 'pending', 'streaming', 'complete', 'stopped', 'interrupted', 'failed']),
    createdAt: timestamp,
    updatedAt: timestamp,
    rev: z.int(),
    clientMessageId: z.string().optional(),
    model: z.string().nullable().optional(),
    finishReason: z.string().nullable().optional(),
    usage: usageSchema.nullable().optional(),
    latencyMs: z.strictObject({ firstToken: z.number().nullable(), total: z.number() }).nullable().optional(),
    segments: z.array(z.strictObject({ model: z.string(), from: z.int(), to: z.int(), reason: z.string() })).optional(),
    error: problemSchema.optional(),
    feedback: z.strictObject({ rating: z.enum(['up', 'down']), comment: z.string().optional() }).optional(),
    siblings: z.array(z.string()).optional(),
  })
  .meta({ id: 'Message' });

export type MessageView = z.infer<typeof messageSchema>;

const isErrorCode = (code: string): code is ErrorCode => code in ERROR_CODES;

/** Why a reply failed, as every door shows it. The reply's own id stands for the request, which is long gone. */
export const replyProblem = (message: Pick<Message, 'id' | 'error' | 'status'>): Problem => {
  const stored = message.error?.code ?? 'LLM_FAILED';
  const code: ErrorCode = isErrorCode(stored) ? stored : 'LLM_FAILED';
  const { status, title, retryable } = errorSpec(code);
  const retryAfterMs = message.error?.retryAfterMs;
  return {
    type: `/docs/errors#${code}`,
    title,
    status,
    code,
    detail: message.error?.detail ?? (message.status === 'interrupted' ? 'The reply was interrupted' : title),
    requestId: message.id,
    retryable,
    ...(retryAfterMs === null || retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
};

const feedbackView = ({ rating, comment }: Feedback): MessageView['feedback'] => ({
  rating,
  ...(comment === null ? {} : { comment }),
});

const assistantFields = (message: Message): Partial<MessageView> => ({
  model: message.model,
  finishReason: message.finishReason,
  usage: message.usage,
  latencyMs: message.latencyMs,
  ...(message.segments === null ? {} : { segments: [...message.segments] }),
  ...(message.error === null ? {} : { error: { ...replyProblem(message), errors: undefined } }),
  ...(message.feedback ? { feedback: feedbackView(message.feedback) } : {}),
});

/** A message, and the ids of all messages with the same parent where there are several. */
type SeenMessage = Message & { readonly siblings?: readonly string[] };

/** What clients see of a message. */
export const toMessageView = (message: SeenMessage): MessageView => ({
  id: message.id,
  chatId: message.chatId,
  seq: message.seq,
  parentId: message.parentId,
  role: message.role,
  content: message.content,
  status: message.status,
  createdAt: message.createdAt.toISOString(),
  updatedAt: message.updatedAt.toISOString(),
  rev: message.rev,
  ...(message.role === 'user' && message.clientMessageId !== null ? { clientMessageId: message.clientMessageId } : {}),
  ...(message.role === 'assistant' ? assistantFields(message) : {}),
  ...(message.siblings && message.siblings.length > 1 ? { siblings: [...message.siblings] } : {}),
});
