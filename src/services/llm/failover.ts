import type { ProviderError } from './provider.ts';

/** What one failed attempt leaves to decide with. */
export interface FailedAttempt {
  readonly error: ProviderError;
  /** 1 for the first. */
  readonly number: number;
  readonly maxAttempts: number;
  /** Whether a client may have seen something of it. */
  readonly hasShown: boolean;
}

/**
 * What to do about it: ask `another` model, one with a `larger` window, let another `continue` the answer, `wait` for one
 * that is being asked already, or `give-up`. What the key is refused for, every model would be refused for, and what is wrong with the request is wrong everywhere.
 */
export type Remedy = 'another' | 'larger' | 'continue' | 'wait' | 'give-up';

export const remedyFor = ({ error, number, maxAttempts, hasShown }: FailedAttempt): Remedy => {
  const hasAttempts = number < maxAttempts;
  if (error.scope === 'key') return 'give-up';
  if (hasShown) return error.retryable && hasAttempts ? 'continue' : 'give-up';
  if (error.kind === 'context_too_long') return hasAttempts ? 'larger' : 'give-up';
  if (!error.retryable) return 'give-up';
  return hasAttempts ? 'another' : 'wait';
};

/**
 * Whether the same model is worth a second call where there is no other: the failure was short and not an answer of its
 * own, or it said when to come back (facts/llm-routing §D).
 */
export const mayAskAgain = ({ kind }: ProviderError): boolean =>
  kind === 'network' || kind === 'unavailable' || kind === 'rate_limited';
