import type { Config } from '../../config/index.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Metrics } from '../../lib/metrics.ts';
import { createConnectionCap, type ConnectionCap } from './connections.ts';
import { createMemoryCounts, type FailureCounts } from './failureCounts.ts';
import { createFailureGate, type FailureGate, type FailureGateOptions } from './failures.ts';
import type { Limiter } from './limiter.ts';
import { createMemoryLimiter } from './memoryLimiter.ts';

export type { ConnectionCap } from './connections.ts';
export type { FailureGate, Outcome } from './failures.ts';
export { actorKey, ipKey, userKey } from './keys.ts';
export { enforceLimit, limitError, type Limiter, type LimitState } from './limiter.ts';

/** The limits of the wire contract. */
export interface Limits {
  /** Sign-ups, logins and password grants, per IP address. */
  readonly auth: Limiter;
  /** All other requests, per user or API key, or else per IP address. */
  readonly api: Limiter;
  /** Sends, per user or API key. */
  readonly chat: Limiter;
  /** Mails of a kind, per account. */
  readonly mails: Limiter;
  /** Wrong passwords, per account or device, and per address; null: not counted. */
  readonly failures: { readonly account: FailureGate; readonly address: FailureGate } | null;
  /** Open sockets and streams, per user. */
  readonly connections: ConnectionCap;
}

interface Dependencies {
  readonly config: Config['limits'];
  /** Where wrong passwords are counted; null: on this node. */
  readonly failures: FailureCounts | null;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
const MAILS_PER_HOUR = 5;
/** Wrong passwords without a wait, and then the first wait, which doubles, and the longest. */
const FREE_FAILURES = 5;
const FIRST_WAIT_MS = SECOND_MS;
const LONGEST_WAIT_MS = 15 * MINUTE_MS;
const FAILURES_PER_ADDRESS = 20;

const accountWait = (failures: number): number =>
  failures < FREE_FAILURES ? 0 : Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - FREE_FAILURES));
const addressWait = (failures: number): number => (failures < FAILURES_PER_ADDRESS ? 0 : LONGEST_WAIT_MS);

const createFailureGates = (
  tools: Pick<FailureGateOptions, 'clock' | 'counts' | 'onRefused'>,
): NonNullable<Limits['failures']> => ({
  account: createFailureGate({
    ...tools,
    waitAfter: accountWait,
    memory: { ms: 24 * 60 * MINUTE_MS, since: 'last' },
    clearedByRight: true,
  }),
  // A right password of one's own does not clear it: whoever guesses others' could log in now and then.
  address: createFailureGate({
    ...tools,
    waitAfter: addressWait,
    memory: { ms: LONGEST_WAIT_MS, since: 'first' },
    clearedByRight: false,
  }),
});

/** The limits, counted on this node but for wrong passwords. */
export const createLimits = ({ config, failures, clock, logger, metrics }: Dependencies): Limits => {
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
    mails: create('mails', MAILS_PER_HOUR, 60 * MINUTE_MS),
    failures: config.loginThrottle
      ? createFailureGates({
          clock,
          counts: failures ?? createMemoryCounts(),
          onRefused: () => metrics.limitHit('failures'),
        })
      : null,
    connections: createConnectionCap(config.connectionsPerUser, onExceeded('connections')),
  };
};
