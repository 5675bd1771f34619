import { Piscina } from 'piscina';
import { AppError } from '../../lib/errors.ts';

/**
 * Counts tokens off the event loop: the encoding takes 340 ms and 67 MB to load, and counting a long message takes
 * milliseconds. o200k_base is OpenAI's; other vendors' counts differ by some percent, which the limit's default allows for.
 */
export interface Tokenizer {
  /** Tokens of each text, in order. @throws AppError `RATE_LIMITED` when too many texts wait to be counted */
  count(texts: readonly string[]): Promise<readonly number[]>;
  close(): Promise<void>;
}

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

/** Some seconds of work: who comes later would wait for longer than a client does. */
const MAX_QUEUE = 1000;

/** The thread starts with the first count, and ends after a minute without one. */
export const createTokenizer = (): Tokenizer => {
  const pool = new Piscina<readonly string[], number[]>({
    filename: new URL(`./tokenizer.worker.${extension}`, import.meta.url).href,
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: 60_000,
    maxQueue: MAX_QUEUE,
  });
  return {
    count: async (texts) => {
      if (pool.queueSize < MAX_QUEUE) return pool.run(texts);
      throw new AppError('RATE_LIMITED', { detail: 'Too many long messages at once', retryAfterMs: 1000 });
    },
    close: () => pool.destroy(),
  };
};
