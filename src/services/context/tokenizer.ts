import { Piscina } from 'piscina';

/**
 * Counts tokens off the event loop: the encoding takes 340 ms and 67 MB to load, and counting a long message takes
 * milliseconds. o200k_base is OpenAI's; other vendors' counts differ by some percent, which the limit's default allows for.
 */
export interface Tokenizer {
  /** Tokens of each text, in order. */
  count(texts: readonly string[]): Promise<readonly number[]>;
  close(): Promise<void>;
}

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

/** The thread starts with the first count, and ends after a minute without one. */
export const createTokenizer = (): Tokenizer => {
  const pool = new Piscina<readonly string[], number[]>({
    filename: new URL(`./tokenizer.worker.${extension}`, import.meta.url).href,
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: 60_000,
  });
  return {
    count: (texts) => pool.run(texts),
    close: () => pool.destroy(),
  };
};
