import type { Config } from '../../config/index.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type { Limiter } from './limiter.ts';
import { createMemoryLimiter } from './memoryLimiter.ts';

export { ipKey, userKey } from './keys.ts';
export { enforceLimit, limitError, type Limiter, type LimitState } from './limiter.ts';

/** The limits of the wire contract. */
export interface Limits {
  /** Sign-ups, logins and password grants, per IP address. */
  readonly auth: Limiter;
  /** All other requests, per user or else per IP address. */
  readonly api: Limiter;
  /** Sends, per user. */
  readonly chat: Limiter;
}

interface Dependencies {
  readonly config: Config['limits'];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;

/** The limits, counted on this node. */
export const createLimits = ({ config, clock, logger, metrics }: Dependencies): Limits => {
  const log = logger.child('limits');
  const create = (name: string, limit: number, windowMs: number): Limiter => {
    const onExceeded = (key: string): void => {
      metrics.limitHit(name);
      log.info('limit reached', { limit: name, key });
    };
    return createMemoryLimiter({ name, limit, windowMs, clock, onExceeded });
  };
  return {
    auth: create('auth', config.authPerMinute, MINUTE_MS),
    api: create('api', config.apiPerMinute, MINUTE_MS),
    chat: create('chat', config.chatPerSecond, SECOND_MS),
  };
};
