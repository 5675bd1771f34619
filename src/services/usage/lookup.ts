import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../lib/logger.ts';
import type { Usage } from '../../models/entities.ts';
import type { LlmProvider } from '../llm/provider.ts';

/** Milliseconds before each try: the endpoint's own books are some seconds behind its answers. */
export const LOOKUP_DELAYS_MS: readonly number[] = [1_500, 3_000, 6_000];
/** Calls that may wait for their books at once; those beyond are guessed. */
const MAX_WAITING = 1_000;
const MAX_ASKING = 4;

export interface LookupOptions {
  readonly findUsage: LlmProvider['findUsage'];
  readonly logger: Logger;
  readonly delaysMs?: readonly number[];
}

/** Asks the endpoint for books that a stream did not bring, in the background. */
export interface Lookup {
  /** Null when they cannot be had, or the node closes. Never rejects. */
  find(generationId: string): Promise<Usage | null>;
  /** Whoever waits gets null now. Resolves when all have it. */
  close(): Promise<void>;
}

/** Lets so many run at once; the others wait in the order in which they came. */
const createSlots = (count: number) => {
  let free = count;
  const waiting: (() => void)[] = [];
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (free === 0) await new Promise<void>((resolve) => void waiting.push(resolve));
    else free -= 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
};

export const createLookup = ({ findUsage, logger, delaysMs = LOOKUP_DELAYS_MS }: LookupOptions): Lookup => {
  const log = logger.child('usage');
  const closing = new AbortController();
  const inSlot = createSlots(MAX_ASKING);
  const waiting = new Set<Promise<unknown>>();

  const ask = async (generationId: string): Promise<Usage | null> => {
    try {
      return await inSlot(() => findUsage(generationId, closing.signal));
    } catch (error) {
      if (!closing.signal.aborted)
        log.debug('the books of a call could not be asked for', { generationId, err: error });
      return null;
    }
  };

  const tryAll = async (generationId: string): Promise<Usage | null> => {
    for (const ms of delaysMs) {
      await delay(ms, undefined, { ref: false, signal: closing.signal }).catch(() => undefined);
      if (closing.signal.aborted) return null;
      const usage = await ask(generationId);
      if (usage) return usage;
    }
    return null;
  };

  return {
    find: async (generationId) => {
      if (waiting.size >= MAX_WAITING || closing.signal.aborted) return null;
      const found = tryAll(generationId);
      waiting.add(found);
      try {
        return await found;
      } finally {
        waiting.delete(found);
      }
    },
    close: async () => {
      closing.abort();
      await Promise.all(waiting);
    },
  };
};
