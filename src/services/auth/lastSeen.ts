import { LRUCache } from 'lru-cache';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Seen } from '../../models/stores.ts';

/** Notes when something was used last, cheaply. */
export interface LastSeen {
  saw(id: string): void;
  /** Writes what waits. */
  close(): Promise<void>;
}

export interface LastSeenOptions {
  readonly write: (seen: readonly Seen[]) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How exact it is: one write a minute for each, however busy its client. */
const RESOLUTION_MS = 60_000;
/** Those of a second are written together. */
const GATHER_MS = 1_000;
const MAX_IDS = 20_000;

export const createLastSeen = ({ write, clock, logger }: LastSeenOptions): LastSeen => {
  const noted = new LRUCache<string, number>({ max: MAX_IDS });
  const waiting = new Map<string, Date>();
  let timer: NodeJS.Timeout | null = null;

  const flush = async (): Promise<void> => {
    if (timer) clearTimeout(timer);
    timer = null;
    const seen = [...waiting].map(([id, at]) => ({ id, at }));
    waiting.clear();
    if (seen.length === 0) return;
    // What is lost is a minute's exactness; the next request notes it again.
    await write(seen).catch((error: unknown) => logger.debug('last use not noted', { err: error }));
  };

  return {
    saw: (id) => {
      const now = clock.now();
      if (now - (noted.get(id) ?? -Infinity) < RESOLUTION_MS) return;
      noted.set(id, now);
      waiting.set(id, new Date(now));
      timer ??= setTimeout(() => void flush(), GATHER_MS).unref();
    },
    close: flush,
  };
};
