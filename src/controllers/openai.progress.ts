import type { OutgoingHttpHeaders } from 'node:http';

/** What one completion has come to: who answers, after how many tries, and how much of the wait was this server's. */
export interface Progress {
  attempts(): number;
  model(): string | null;
  /** A model is asked, or another goes on. */
  asked(model: string): void;
  /** The first token came. */
  answered(): void;
  hasAnswered(): boolean;
  /** For the response, as far as it is known; the overhead in milliseconds is all but the wait for models. */
  headers(): OutgoingHttpHeaders;
}

/** @param startedAt when the request came, as `performance.now()` tells it */
export const createProgress = (startedAt: number): Progress => {
  let attempts = 0;
  let model: string | null = null;
  let askedAt = startedAt;
  let overheadMs: number | null = null;
  const now = (): number => performance.now();

  return {
    attempts: () => attempts,
    model: () => model,
    hasAnswered: () => overheadMs !== null,
    asked: (asked) => {
      // From the first model asked to the first token it is the models' time, between two tries too.
      if (attempts === 0) askedAt = now();
      if (overheadMs === null) attempts += 1;
      model = asked;
    },
    answered: () => {
      overheadMs ??= askedAt - startedAt;
    },
    headers: () => ({
      ...(overheadMs === null || model === null
        ? {}
        : { 'X-Router-Model': model, 'X-Router-Overhead-Ms': overheadMs.toFixed(2) }),
      'X-Router-Attempts': String(attempts),
    }),
  };
};
