import type { Clock } from '../../lib/clock.ts';
import { AppError } from '../../lib/errors.ts';
import { z } from 'zod';
import { addSums, NO_SUMS, type UsageDay, type UsageSums } from '../../models/entities.ts';
import type { QuotaLimits, QuotaUse, Stores } from '../../models/stores.ts';
import { rangeOf } from './range.ts';
import type { QuotaState, UsageRange, UsageService, UsageSummary } from './usage.types.ts';

const DAY_MS = 86_400_000;

/** The UTC midnight that ends the day of `now`, in milliseconds since the epoch. */
export const nextMidnight = (now: number): number => (Math.floor(now / DAY_MS) + 1) * DAY_MS;

const sum = (days: readonly UsageDay[]): UsageSums =>
  days.reduce((sums: UsageSums, day) => addSums(sums, day), NO_SUMS);

const grouped = <K extends 'day' | 'model'>(days: readonly UsageDay[], by: K) =>
  [...Map.groupBy(days, (day) => day[by])].map(([key, group]) => ({ key, sums: sum(group) }));

const quotasOf = (limits: QuotaLimits, use: QuotaUse, now: number): UsageSummary['quotas'] => {
  const resetsAt = new Date(nextMidnight(now));
  const state = (limit: number, used: number, reserved: number): QuotaState => ({ limit, used, reserved, resetsAt });
  return {
    tokensPerDay: state(limits.tokensPerDay, use.tokens, use.reservedTokens),
    costMicroUsdPerDay: state(limits.costMicroUsdPerDay, use.costMicroUsd, use.reservedCostMicroUsd),
    concurrentReplies: { limit: limits.concurrentReplies, used: use.concurrentReplies, reserved: 0, resetsAt: null },
  };
};

/** Where a page of calls ends: the time and id of its last one. */
const cursorSchema = z.tuple([z.literal('usage'), z.int(), z.string()]);

const encode = (at: Date, id: string): string =>
  Buffer.from(JSON.stringify(['usage', at.getTime(), id])).toString('base64url');

const decode = (cursor: string): { at: Date; id: string } => {
  try {
    const [, at, id] = cursorSchema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
    return { at: new Date(at), id };
  } catch (error) {
    throw new AppError('CURSOR_INVALID', { cause: error });
  }
};

const timesOf = ({ from, to }: UsageRange) => ({
  from: new Date(Date.parse(from)),
  to: new Date(Date.parse(to) + DAY_MS),
});

export interface SummaryOptions {
  readonly store: Stores['usage'];
  readonly limits: QuotaLimits;
  readonly clock: Clock;
  /** Writes what this node has not written yet, so that whoever asks sees what they have just used. */
  readonly flush: () => Promise<void>;
}

export const createSummary = (options: SummaryOptions): Pick<UsageService, 'summary' | 'attempts'> => {
  const { store, limits, clock, flush } = options;
  return {
    summary: async ({ ownerId }, asked) => {
      const now = clock.now();
      const range = rangeOf(asked, now);
      await flush();
      const [days, use] = await Promise.all([
        store.listUsageDays(ownerId, range.from, range.to),
        store.findQuotaUse(ownerId, new Date(now)),
      ]);
      const models = grouped(days, 'model').map(({ key, sums }) => ({ model: key, ...sums }));
      return {
        range,
        totals: sum(days),
        days: grouped(days, 'day').map(({ key, sums }) => ({ day: key, ...sums })),
        models: models.sort((a, b) => b.costMicroUsd - a.costMicroUsd || b.totalTokens - a.totalTokens),
        quotas: quotasOf(limits, use, now),
      };
    },
    attempts: async ({ ownerId }, { limit, cursor, ...asked }) => {
      const range = rangeOf(asked, clock.now());
      const after = cursor === undefined ? null : decode(cursor);
      await flush();
      const records = await store.listUsage(ownerId, { ...timesOf(range), after, limit: limit + 1 });
      const items = records.slice(0, limit);
      const last = items.at(-1);
      return { items, nextCursor: records.length > limit && last ? encode(last.at, last.id) : null };
    },
  };
};
