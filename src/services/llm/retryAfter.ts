import { fieldOf, textOf } from './jsonValue.ts';

/** Longer waits are not believed: a day is the longest window that OpenRouter has. */
const MAX_WAIT_MS = 24 * 60 * 60 * 1000;
/** Below it a time stamp is in seconds: in milliseconds it would lie in 2001. */
const MIN_EPOCH_MS = 1e12;

interface HeaderSource {
  get(name: string): string | null;
}

const inRange = (ms: number): number | null => (ms >= 0 ? Math.min(Math.round(ms), MAX_WAIT_MS) : null);

const fromNumber = (value: unknown, unitMs: number): number | null => {
  if (value === null || value === undefined || value === '') return null;
  return inRange(Number(value) * unitMs);
};

/** `Retry-After`: seconds or an HTTP date (RFC 9110 §10.2.3). */
const fromRetryAfter = (value: string | null, nowMs: number): number | null => {
  if (value === null) return null;
  if (/^\s*\d+(\.\d+)?\s*$/.test(value)) return fromNumber(value, 1000);
  return /[a-z]/i.test(value) ? inRange(Date.parse(value) - nowMs) : null;
};

/** `X-RateLimit-Reset`: a time stamp, in practice in milliseconds at OpenRouter and in seconds elsewhere. */
const fromReset = (value: unknown, nowMs: number): number | null => {
  const at = Number(value ?? NaN);
  if (!(at > 1e9)) return null;
  return inRange((at < MIN_EPOCH_MS ? at * 1000 : at) - nowMs);
};

const resetOf = (headers: HeaderSource | null, error: unknown, nowMs: number): number | null =>
  fromReset(
    headers?.get('x-ratelimit-reset') ?? fieldOf(fieldOf(fieldOf(error, 'metadata'), 'headers'), 'X-RateLimit-Reset'),
    nowMs,
  );

const untilUtcMidnight = (nowMs: number): number => MAX_WAIT_MS - (nowMs % MAX_WAIT_MS);

/**
 * How long OpenRouter's `:free` models are closed to the whole account: until the window's reset, or where it is not
 * told, until the day is over that it is counted by (openrouter.ai/docs, "Limits").
 */
export const readFreePoolWaitMs = (headers: HeaderSource | null, error: unknown, nowMs: number): number | null => {
  const isDaily = /free-models-per-day/i.test(textOf(fieldOf(error, 'message')) ?? '');
  return (
    resetOf(headers, error, nowMs) ?? (isDaily ? untilUtcMidnight(nowMs) : readRetryAfterMs(headers, error, nowMs))
  );
};

/**
 * How long the provider asks to be left alone, in milliseconds; null when it says nothing that can be believed.
 * OpenRouter repeats its rate-limit headers inside `error.metadata.headers`, which is all a streamed error has.
 */
export const readRetryAfterMs = (headers: HeaderSource | null, error: unknown, nowMs: number): number | null => {
  return (
    fromNumber(headers?.get('retry-after-ms'), 1) ??
    fromRetryAfter(headers?.get('retry-after') ?? null, nowMs) ??
    fromNumber(fieldOf(fieldOf(error, 'availability'), 'retry_after'), 1000) ??
    resetOf(headers, error, nowMs)
  );
};
