import { Schema } from 'mongoose';
import type { UsageDay } from '../entities.ts';
import { rowSchema } from './schema.ts';

/**
 * The counters of a day and model. `_id` is `ownerId:day:model`, so that a quota reads one stretch of the key.
 * `applied` says which batch of each node was the last that was added, so that none is added twice.
 */
export interface UsageDayRow extends UsageDay {
  readonly _id: string;
  readonly ownerId: string;
  readonly applied: Readonly<Record<string, number>>;
}

export const usageDaySchema = rowSchema<UsageDayRow>({
  ownerId: String,
  day: String,
  model: String,
  requests: Number,
  attempts: Number,
  estimated: Number,
  promptTokens: Number,
  completionTokens: Number,
  totalTokens: Number,
  reasoningTokens: Number,
  cachedTokens: Number,
  costMicroUsd: Number,
  applied: Schema.Types.Mixed,
});
usageDaySchema.index({ day: 1 });
