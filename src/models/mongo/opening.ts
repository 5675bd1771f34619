import { setInterval } from 'node:timers/promises';
import type { Logger } from '../../lib/logger.ts';
import { StoreUnavailableError } from '../errors.ts';
import { toStoreError } from './errors.ts';

/** Milliseconds between two attempts. With the driver's own timeouts a database that returns is ready within 5 s. */
const RETRY_MS = 1_000;

export interface Opening {
  /** Whether an attempt has succeeded and nobody has closed it since. */
  isReady(): boolean;
  /** Makes no further attempt; resolves when a running one has ended. */
  stop(): Promise<void>;
}

/**
 * Makes `attempt` succeed once, however long it takes. Resolves after the first attempt, good or bad, so that a process
 * starts whether or not its database does; the others follow in the background.
 * @throws what `attempt` throws when that is no matter of the database being away, such as a URI that is none
 */
export const startOpening = async (attempt: () => Promise<void>, logger: Logger): Promise<Opening> => {
  const closing = new AbortController();

  const tryOnce = async (failed: (error: unknown) => void): Promise<boolean> => {
    try {
      await attempt();
      logger.info('connected to MongoDB');
      return true;
    } catch (error) {
      failed(error);
      return false;
    }
  };

  let isOpen = await tryOnce((error) => {
    if (!(toStoreError(error) instanceof StoreUnavailableError)) throw error;
    logger.warn('MongoDB is not ready, trying on', { err: error, everyMs: RETRY_MS });
  });
  const tryOn = async (): Promise<void> => {
    for await (const _ of setInterval(RETRY_MS, undefined, { ref: false, signal: closing.signal })) {
      // Only the first failure is worth a warning: the others say the same again.
      isOpen = await tryOnce((error) => logger.debug('MongoDB is still not ready', { err: error }));
      if (isOpen) return;
    }
  };
  // What ends the waiting early is `stop` alone.
  const ended = isOpen ? Promise.resolve() : tryOn().catch(() => undefined);

  return {
    isReady: () => isOpen && !closing.signal.aborted,
    stop: async () => {
      closing.abort();
      await ended;
    },
  };
};
