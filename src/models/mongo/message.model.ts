import type { FinalStatus, Message, MessageStatus } from '../entities.ts';
import { markChanges, nullableText, partSchema, rowSchema } from './schema.ts';

/**
 * `settling`: the reply is final as `settledAs` says, for every reader; what is still to do is its chat's `rev` and
 * preview and its log. A status of its own, so that the index which finds unfinished replies finds these for `repair`.
 */
export type StoredStatus = MessageStatus | 'settling';

export interface MessageRow extends Omit<Message, 'id' | 'status'> {
  readonly _id: string;
  readonly status: StoredStatus;
  readonly settledAs: FinalStatus | null;
  /** While settling: the preview that the chat is to get. */
  readonly settledPreview: string | null;
  /** Of a reply: whether a model may have been asked for it. */
  readonly isAsked: boolean;
  /** See changeSets.ts. */
  readonly unlisted: boolean;
}

export const UNFINISHED: readonly StoredStatus[] = ['queued', 'pending', 'streaming'];
export const RUNNING: readonly StoredStatus[] = ['pending', 'streaming'];

const usage = partSchema({
  promptTokens: Number,
  completionTokens: Number,
  totalTokens: Number,
  reasoningTokens: Number,
  cachedTokens: Number,
  costMicroUsd: Number,
  estimated: Boolean,
});
const segment = partSchema({ model: String, from: Number, to: Number, reason: String });
const latency = partSchema({ firstToken: Number, total: Number });
const replyError = partSchema({ code: String, detail: String, retryAfterMs: Number });
const feedback = partSchema({ rating: String, comment: String });
const lease = partSchema({ nodeId: String, until: Date });

export const messageSchema = rowSchema<MessageRow>({
  ownerId: String,
  createdBy: String,
  chatId: String,
  seq: Number,
  parentId: nullableText,
  role: String,
  content: String,
  status: String,
  clientMessageId: nullableText,
  model: nullableText,
  finishReason: nullableText,
  usage: { type: usage, default: null },
  latencyMs: { type: latency, default: null },
  segments: { type: [segment], default: null },
  error: { type: replyError, default: null },
  feedback: { type: feedback, default: null },
  lease: { type: lease, default: null },
  createdAt: Date,
  updatedAt: Date,
  rev: Number,
  settledAs: nullableText,
  settledPreview: nullableText,
  isAsked: Boolean,
  unlisted: Boolean,
});
markChanges(messageSchema);
messageSchema.index({ ownerId: 1, chatId: 1, seq: 1 });
messageSchema.index({ ownerId: 1, chatId: 1, parentId: 1, seq: 1 });
// Few messages are unfinished at any time: whatever begins with these statuses reads only those few.
messageSchema.index({ status: 1, chatId: 1 });
messageSchema.index({ status: 1, 'lease.until': 1 });
