import type { Clock } from '../../lib/clock.ts';
import { AppError } from '../../lib/errors.ts';
import type { FailureCount, FailureMemory } from '../../models/stores.ts';
import type { FailureCounts } from './failureCounts.ts';

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
  readonly counts: FailureCounts;
  /** Milliseconds that the key must wait after so many wrong guesses; 0: none. */
  readonly waitAfter: (failures: number) => number;
  /** When wrong guesses are forgotten. */
  readonly memory: FailureMemory;
  /** Whether one right guess clears the key; else it only does not count itself. */
  readonly clearedByRight: boolean;
  /** Called when a guess is refused. */
  readonly onRefused: () => void;
}

/** Guesses of one key that may wait for others to be checked. */
const MAX_WAITING = 128;
const FULL_RETRY_MS = 1_000;

/** The guesses of one key that are under way on this node. */
interface UnderWay {
  /** Not let in yet. */
  entering: number;
  /** Let in, and not told yet. */
  pending: number;
  /** How many were told: what was read before the last of them may be old. */
  told: number;
  waiting: (() => void)[];
}

/**
 * Guesses that are under way are known to their node alone: of many at once, each node lets in as many as one would.
 * What came of them is counted for all nodes, where `counts` is shared.
 */
export const createFailureGate = (options: FailureGateOptions): FailureGate => {
  const { clock, counts, waitAfter, memory, clearedByRight, onRefused } = options;
  const keys = new Map<string, UnderWay>();

  const underWay = (key: string): UnderWay => {
    const known = keys.get(key) ?? { entering: 0, pending: 0, told: 0, waiting: [] };
    keys.set(key, known);
    return known;
  };
  const forgetIfOver = (key: string, { entering, pending }: UnderWay): void => {
    if (entering + pending === 0) keys.delete(key);
  };

  const refuse = (retryAfterMs: number): never => {
    onRefused();
    throw new AppError('TOO_MANY_FAILURES', { retryAfterMs });
  };
  const wakeAll = (guesses: UnderWay): void => {
    for (const wake of guesses.waiting.splice(0)) wake();
  };
  const waitForOthers = (guesses: UnderWay): Promise<void> => {
    if (guesses.waiting.length >= MAX_WAITING) refuse(FULL_RETRY_MS);
    return new Promise((resolve) => guesses.waiting.push(resolve));
  };

  /** What is written down under the key, as new as what this node was told. */
  const readCount = async (key: string, guesses: UnderWay): Promise<FailureCount | null> => {
    for (;;) {
      const before = guesses.told;
      const count = await counts.readFailures(key, new Date(clock.now()));
      if (guesses.told === before) return count;
    }
  };

  /** Milliseconds until the next guess may come in, when none is under way. */
  const waitOf = (count: FailureCount | null, wait: number): number => {
    if (!count) return 0;
    return (memory.since === 'last' ? count.lastAt : count.firstAt).getTime() + wait - clock.now();
  };

  const letIn = async (key: string, guesses: UnderWay): Promise<void> => {
    for (;;) {
      const count = await readCount(key, guesses);
      const wait = waitAfter((count?.failures ?? 0) + guesses.pending);
      if (wait > 0 && guesses.pending > 0) {
        await waitForOthers(guesses);
        continue;
      }
      const waitMs = waitOf(count, wait);
      if (wait > 0 && waitMs > 0) refuse(waitMs);
      // Here, where it was decided: a moment later another one may have been let in.
      guesses.pending += 1;
      return;
    }
  };

  const writeDown = async (key: string, outcome: Outcome): Promise<void> => {
    if (outcome === 'wrong') await counts.addFailure(key, new Date(clock.now()), memory);
    else if (outcome === 'right' && clearedByRight) await counts.clearFailures(key);
  };

  const tell = async (key: string, guesses: UnderWay, outcome: Outcome): Promise<void> => {
    try {
      await writeDown(key, outcome);
    } finally {
      guesses.pending -= 1;
      guesses.told += 1;
      // A wrong guess frees no place: only when it was the last one is there something to decide.
      if (outcome !== 'wrong' || guesses.pending === 0) wakeAll(guesses);
      forgetIfOver(key, guesses);
    }
  };

  return {
    enter: async (key) => {
      const guesses = underWay(key);
      guesses.entering += 1;
      try {
        await letIn(key, guesses);
      } finally {
        guesses.entering -= 1;
        forgetIfOver(key, guesses);
      }
      return (outcome) => tell(key, guesses, outcome);
    },
  };
};
