import { LRUCache } from 'lru-cache';
import type { Clock } from '../../lib/clock.ts';
import { AppError } from '../../lib/errors.ts';

/** `unknown`: it was never found out, as when the database was away; then it counts as if it had not been. */
export type Outcome = 'right' | 'wrong' | 'unknown';

/** Counts wrong guesses per key, and keeps who made too many waiting. Every door asks the same object. */
export interface FailureGate {
  /**
   * Lets one guess in, which counts as wrong until its outcome is told by the function that comes back: so of many at once
   * no more get in than one after the other would. While others are being checked it waits for what comes of them.
   * @throws AppError `TOO_MANY_FAILURES` with the time to wait
   */
  enter(key: string): Promise<(outcome: Outcome) => Promise<void>>;
}

export interface FailureGateOptions {
  readonly clock: Clock;
  /** Milliseconds that the key must wait after so many wrong guesses; 0: none. */
  readonly waitAfter: (failures: number) => number;
  /** Milliseconds after which wrong guesses are forgotten: since the last one, or since the first. */
  readonly memoryMs: number;
  readonly since: 'last' | 'first';
  /** Whether one right guess clears the key; else it only does not count itself. */
  readonly clearedByRight: boolean;
  /** Called when a guess is refused. */
  readonly onRefused: () => void;
  readonly maxKeys?: number;
}

/** Keys that are remembered, some 10 MB: who wants to push one out must be wrong under as many others. */
const MAX_KEYS = 50_000;
/** Guesses of one key that may wait for others to be checked. */
const MAX_WAITING = 128;
const FULL_RETRY_MS = 1_000;

interface Entry {
  failures: number;
  firstAt: number;
  lastAt: number;
  pending: number;
  waiting: (() => void)[];
}

/** For one node. Memory is bounded: of too many keys the least recently seen are forgotten. */
export const createMemoryFailureGate = (options: FailureGateOptions): FailureGate => {
  const { clock, waitAfter, memoryMs, since, clearedByRight, onRefused } = options;
  const entries = new LRUCache<string, Entry>({ max: options.maxKeys ?? MAX_KEYS });

  const entryOf = (key: string): Entry => {
    const now = clock.now();
    const entry = entries.get(key) ?? { failures: 0, firstAt: now, lastAt: now, pending: 0, waiting: [] };
    const startedAt = since === 'last' ? entry.lastAt : entry.firstAt;
    if (entry.pending === 0 && now - startedAt >= memoryMs) Object.assign(entry, { failures: 0, firstAt: now });
    entries.set(key, entry);
    return entry;
  };

  /** Milliseconds until the next guess may come in. */
  const waitOf = ({ failures, firstAt, lastAt }: Entry): number =>
    (since === 'last' ? lastAt : firstAt) + waitAfter(failures) - clock.now();

  const refuse = (retryAfterMs: number): never => {
    onRefused();
    throw new AppError('TOO_MANY_FAILURES', { retryAfterMs });
  };

  const settle = (entry: Entry, outcome: Outcome): void => {
    entry.pending -= 1;
    if (outcome === 'wrong') entry.lastAt = clock.now();
    else entry.failures = outcome === 'right' && clearedByRight ? 0 : Math.max(0, entry.failures - 1);
    for (const wake of entry.waiting.splice(0)) wake();
  };

  const waitForOthers = (entry: Entry): Promise<void> => {
    if (entry.waiting.length >= MAX_WAITING) refuse(FULL_RETRY_MS);
    return new Promise((resolve) => entry.waiting.push(resolve));
  };

  return {
    enter: async (key) => {
      const entry = entryOf(key);
      while (waitAfter(entry.failures) > 0) {
        const waitMs = waitOf(entry);
        if (entry.pending > 0) await waitForOthers(entry);
        else if (waitMs > 0) refuse(waitMs);
        else break;
      }
      if (entry.failures === 0) entry.firstAt = clock.now();
      entry.failures += 1;
      entry.pending += 1;
      return (outcome) => {
        settle(entry, outcome);
        return Promise.resolve();
      };
    },
  };
};
