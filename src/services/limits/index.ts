import type { Config } from '../../config/index.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Metrics } from '../../lib/metrics.ts';
import { createConnectionCap, type ConnectionCap } from './connections.ts';
import type { Limiter } from './limiter.ts';
import { createMemoryLimiter } from './memoryLimiter.ts';

export type { ConnectionCap } from './connections.ts';
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
  /** Open sockets and streams, per user. */
  readonly connections: ConnectionCap;
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
  const onExceeded = (name: string) => (key: string) => {
    metrics.limitHit(name);
    log.info('limit reached', { limit: name, key });
  };
  const create = (name: string, limit: number, windowMs: number): Limiter =>
    createMemoryLimiter({ name, limit, windowMs, clock, onExceeded: onExceeded(name) });
  return {
    auth: create('auth', config.authPerMinute, MINUTE_MS),
    api: create('api', config.apiPerMinute, MINUTE_MS),
    chat: create('chat', config.chatPerSecond, SECOND_MS),
    connections: createConnectionCap(config.connectionsPerUser, onExceeded('connections')),
  };
};
