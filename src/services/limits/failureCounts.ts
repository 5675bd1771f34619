import { LRUCache } from 'lru-cache';
import type { FailureCount, FailureMemory } from '../../models/stores.ts';

/** Where wrong guesses are written down; a FailureStore does it for several nodes. */
export interface FailureCounts {
  /** What counts under a key at `now`; null: nothing. */
  readFailures(key: string, now: Date): Promise<FailureCount | null>;
  addFailure(key: string, at: Date, memory: FailureMemory): Promise<void>;
  clearFailures(key: string): Promise<void>;
}

/** Keys that are remembered, some 10 MB: who wants to push one out must be wrong under as many others. */
const MAX_KEYS = 50_000;

/** For one node. Memory is bounded: of too many keys the least recently seen are forgotten. */
export const createMemoryCounts = (max = MAX_KEYS): FailureCounts => {
  const rows = new LRUCache<string, { readonly count: FailureCount; readonly until: number }>({ max });
  const read = (key: string, now: Date): FailureCount | null => {
    const row = rows.get(key);
    return row !== undefined && now.getTime() < row.until ? row.count : null;
  };
  return {
    readFailures: (key, now) => Promise.resolve(read(key, now)),
    addFailure: (key, at, { ms, since }) => {
      const known = read(key, at);
      const firstAt = known?.firstAt ?? at;
      const until = (since === 'last' ? at : firstAt).getTime() + ms;
      rows.set(key, { count: { failures: (known?.failures ?? 0) + 1, firstAt, lastAt: at }, until });
      return Promise.resolve();
    },
    clearFailures: (key) => {
      rows.delete(key);
      return Promise.resolve();
    },
  };
};
