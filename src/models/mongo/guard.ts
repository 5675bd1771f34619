import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Metrics } from '../../lib/metrics.ts';
import { StoreUnavailableError } from '../errors.ts';
import { toStoreError } from './errors.ts';

/** Milliseconds after which a call is worth a line. */
const SLOW_MS = 200;
const IS_READ = /^(find|list|has)[A-Z]/;

export interface GuardOptions {
  readonly isReady: () => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics | undefined;
}

export interface Guard {
  /** Runs one call of a store: at once refused while the database is not ready, its errors translated, slow ones logged. */
  run<T>(operation: string, work: () => Promise<T>): Promise<T>;
  /** The store with every method guarded and its reads counted. */
  store<Store extends object>(name: string, store: Store): Store;
}

type Method = (...args: readonly unknown[]) => Promise<unknown>;

export const createGuard = ({ isReady, clock, logger, metrics }: GuardOptions): Guard => {
  const run: Guard['run'] = async (operation, work) => {
    if (!isReady()) throw new StoreUnavailableError('MongoDB is not connected yet');
    const startedAt = clock.now();
    try {
      return await work();
    } catch (error) {
      throw toStoreError(error);
    } finally {
      const durationMs = clock.now() - startedAt;
      if (durationMs >= SLOW_MS) logger.warn('slow query', { operation, durationMs });
    }
  };

  return {
    run,
    store: <Store extends object>(name: string, store: Store) => {
      const methods = (Object.entries(store) as [string, Method][]).map(([method, call]) => {
        const operation = `${name}.${method}`;
        const guarded: Method = (...args) => {
          if (IS_READ.test(method)) metrics?.storeRead(operation);
          return run(operation, () => call(...args));
        };
        return [method, guarded] as const;
      });
      return Object.fromEntries(methods) as Store;
    },
  };
};
