import { AppError } from '../../lib/errors.ts';

/** How one key stands after a hit. */
export interface LimitState {
  readonly allowed: boolean;
  /** Hits in the window, refused ones included. */
  readonly used: number;
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds until the window ends. */
  readonly resetMs: number;
}

/**
 * Counts hits per key in windows of fixed length; a key's window begins with its first hit.
 * Every door asks the same object, so that a limit holds over all of them together.
 */
export interface Limiter {
  readonly name: string;
  /** Hits that a window allows; 0: no limit, and every hit is allowed. */
  readonly limit: number;
  readonly windowMs: number;
  /** How the key stands, without a hit. */
  peek(key: string): Promise<LimitState>;
  hit(key: string): Promise<LimitState>;
  /** Takes back one hit of the present window. */
  undo(key: string): Promise<void>;
  /** Forgets the key. */
  reset(key: string): Promise<void>;
}

/** The error of a refused hit, the same at every door. */
export const limitError = (retryAfterMs: number): AppError => new AppError('RATE_LIMITED', { retryAfterMs });

/** Counts a hit. @throws AppError `RATE_LIMITED` when it is one too many */
export const enforceLimit = async (limiter: Limiter, key: string): Promise<void> => {
  const state = await limiter.hit(key);
  if (!state.allowed) throw limitError(state.resetMs);
};
