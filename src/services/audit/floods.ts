import { LRUCache } from 'lru-cache';
import type { Clock } from '../../lib/clock.ts';

/** Keeps who guesses passwords from filling the log: of the same failure only so many are written in a while. */
export interface Floods {
  /** How many were left out since the last one that was written; null when this one is to be left out, too. */
  admit(key: string): number | null;
}

const PER_WINDOW = 30;
const WINDOW_MS = 600_000;
const MAX_KEYS = 10_000;

interface Window {
  readonly endsAt: number;
  written: number;
  leftOut: number;
}

export const createFloods = (clock: Clock): Floods => {
  const windows = new LRUCache<string, Window>({ max: MAX_KEYS });
  return {
    admit: (key) => {
      const now = clock.now();
      const known = windows.get(key);
      const isOver = !known || known.endsAt <= now;
      const window = isOver ? { endsAt: now + WINDOW_MS, written: 0, leftOut: 0 } : known;
      windows.set(key, window);
      if (window.written >= PER_WINDOW) {
        window.leftOut += 1;
        return null;
      }
      window.written += 1;
      return isOver ? (known?.leftOut ?? 0) : 0;
    },
  };
};
