import { QuotaError } from './errors.ts';
import type { UsageRecord, UsageSums } from './entities.ts';
import type { QuotaLimits, QuotaUse } from './stores.ts';

/** The UTC day of a time: `2026-11-21`. */
export const dayOf = (at: Date): string => at.toISOString().slice(0, 10);

/** What one record adds to the counters of its day. */
export const sumsOf = (record: UsageRecord): UsageSums => ({
  requests: record.number === 1 ? 1 : 0,
  attempts: 1,
  estimated: record.estimated ? 1 : 0,
  promptTokens: record.promptTokens,
  completionTokens: record.completionTokens,
  totalTokens: record.totalTokens,
  reasoningTokens: record.reasoningTokens,
  cachedTokens: record.cachedTokens,
  costMicroUsd: record.costMicroUsd,
});

/** Whether a limit per day is set, so that what is used and reserved has to be known. */
export const isDaily = ({ tokensPerDay, costMicroUsdPerDay }: QuotaLimits): boolean =>
  tokensPerDay > 0 || costMicroUsdPerDay > 0;

/**
 * The one rule of the daily quotas, for every database: who comes while less than the limit is taken is let in.
 * @throws QuotaError
 */
export const checkDaily = (limits: QuotaLimits, use: Omit<QuotaUse, 'concurrentReplies'>): void => {
  const { tokensPerDay, costMicroUsdPerDay } = limits;
  if (tokensPerDay > 0 && use.tokens + use.reservedTokens >= tokensPerDay) {
    throw new QuotaError('tokensPerDay', use.tokens >= tokensPerDay);
  }
  if (costMicroUsdPerDay > 0 && use.costMicroUsd + use.reservedCostMicroUsd >= costMicroUsdPerDay) {
    throw new QuotaError('costMicroUsdPerDay', use.costMicroUsd >= costMicroUsdPerDay);
  }
};
