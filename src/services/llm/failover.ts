import type { ProviderError } from './provider.ts';

/** How many upstream calls one reply may cost. */
export const MAX_ATTEMPTS = 2;

/** What one failed attempt leaves to decide with. */
export interface FailedAttempt {
  readonly error: ProviderError;
  /** 1 for the first. */
  readonly attempt: number;
  readonly model: string;
  /** Whether a client may have seen text of it. */
  readonly hasText: boolean;
}

/**
 * Which model to ask next, or null to give up. After the first text nothing is tried again: the client would read the
 * beginning twice. What the account is refused for, every model would be refused for.
 * @param takeOther chooses another model; null when the client named the model, or there is no other
 */
export const nextModel = (failed: FailedAttempt, takeOther: () => string | null): string | null => {
  const { error, attempt, model, hasText } = failed;
  if (hasText || attempt >= MAX_ATTEMPTS || !error.retryable || error.kind === 'account') return null;
  // The same model is worth a second call only when the failure was short and not an answer of its own.
  return takeOther() ?? (error.kind === 'network' || error.kind === 'unavailable' ? model : null);
};
