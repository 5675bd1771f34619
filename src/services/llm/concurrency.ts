import type { ConcurrencySettings } from './settings.ts';
import { providerError } from './providerErrors.ts';

/** How many calls run at one model at once; who comes later waits in line. */
export interface Gate {
  isFull(): boolean;
  /**
   * Waits for a place.
   * @returns how to give it back; more than once does nothing
   * @throws ProviderError `unavailable` with `retryAfterMs` when the line is full or the wait is over; the signal's
   *   reason after an abort, which leaves the line at once
   */
  enter(signal: AbortSignal): Promise<() => void>;
}

/** How long who finds no place is told to stay away. */
const RETRY_AFTER_MS = 1_000;

const busy = (what: string): Error =>
  providerError('unavailable', { retryAfterMs: RETRY_AFTER_MS, cause: new Error(what) });

/** @param onWaited told how many milliseconds somebody stood in line, who got a place or gave up */
export const createGate = (settings: ConcurrencySettings, onWaited: (ms: number) => void): Gate => {
  const { maxRunning, maxQueued, maxWaitMs } = settings;
  /** Who waits, the longest first; a Set keeps that order and lets anybody leave. */
  const line = new Set<() => void>();
  let running = 0;

  const leave = (): void => {
    running -= 1;
    const [next] = line;
    next?.();
  };
  const take = (): (() => void) => {
    running += 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      leave();
    };
  };

  const wait = async (signal: AbortSignal): Promise<() => void> => {
    const startedAt = performance.now();
    const { promise, resolve, reject } = Promise.withResolvers<() => void>();
    const admit = (): void => {
      line.delete(admit);
      resolve(take());
    };
    // Out of the line first: a place that is given to somebody who has gone would never come back.
    const giveUp = (reason: unknown): void => {
      line.delete(admit);
      reject(reason);
    };
    const onAbort = (): void => giveUp(signal.reason);
    const timer = setTimeout(() => giveUp(busy('no place in time')), maxWaitMs);
    signal.addEventListener('abort', onAbort);
    line.add(admit);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      onWaited(performance.now() - startedAt);
    }
  };

  return {
    isFull: () => running >= maxRunning,
    enter: async (signal) => {
      signal.throwIfAborted();
      if (running < maxRunning) return take();
      if (line.size >= maxQueued) throw busy('the line is full');
      return wait(signal);
    },
  };
};
