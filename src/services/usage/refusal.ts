import type { Clock } from '../../lib/clock.ts';
import { AppError } from '../../lib/errors.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type { QuotaError } from '../../models/errors.ts';
import type { QuotaLimits } from '../../models/stores.ts';
import { nextMidnight } from './summary.ts';

/** Milliseconds after which a place may be free again: answers take seconds. */
const SOON_MS = 1_000;

const WHAT: Readonly<Record<keyof QuotaLimits, (limit: number) => string>> = {
  concurrentReplies: (limit) => `${String(limit)} replies at the same time`,
  tokensPerDay: (limit) => `${String(limit)} tokens a day`,
  costMicroUsdPerDay: (limit) => `${String(limit)} millionths of a US dollar a day`,
};

export interface RefusalOptions {
  readonly limits: QuotaLimits;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, 'limitHit'>;
}

/** A refusal of the store as clients are told it; `retryAfterMs` is when there can be something left. */
export const createRefusal =
  ({ limits, clock, metrics }: RefusalOptions) =>
  ({ quota, isUsedUp }: QuotaError): AppError => {
    metrics.limitHit(quota);
    const now = clock.now();
    const held = quota === 'concurrentReplies' ? 'are still running' : 'run, or are not in the books yet';
    const why = isUsedUp ? 'is used up until midnight UTC' : `is taken by replies that ${held}`;
    return new AppError('QUOTA_EXCEEDED', {
      detail: `The quota of ${WHAT[quota](limits[quota])} ${why}`,
      retryAfterMs: isUsedUp ? nextMidnight(now) - now : SOON_MS,
    });
  };
