import type { UsageRecord } from '../entities.ts';
import { nullableText, rowSchema } from './schema.ts';

export interface UsageRow extends Omit<UsageRecord, 'id'> {
  readonly _id: string;
}

export const usageSchema = rowSchema<UsageRow>({
  ownerId: String,
  createdBy: String,
  at: Date,
  kind: String,
  chatId: nullableText,
  messageId: nullableText,
  number: Number,
  model: String,
  provider: nullableText,
  generationId: nullableText,
  promptTokens: Number,
  completionTokens: Number,
  totalTokens: Number,
  reasoningTokens: Number,
  cachedTokens: Number,
  costMicroUsd: Number,
  estimated: Boolean,
  firstTokenMs: { type: Number, default: null },
  durationMs: Number,
  chosenBy: String,
  outcome: String,
  reason: String,
});
usageSchema.index({ ownerId: 1, at: 1, _id: 1 });
