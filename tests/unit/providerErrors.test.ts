import { describe, expect, test } from '@jest/globals';
import { inspect } from 'node:util';
import type { ProviderErrorKind } from '../../src/services/llm/provider.ts';
import { toProviderError } from '../../src/services/llm/providerErrors.ts';
import { readRetryAfterMs } from '../../src/services/llm/retryAfter.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');
const KEY = 'sk-or-v1-very-secret';

const errorOf = (status: number | null, error: unknown, headers: Record<string, string> = {}) =>
  toProviderError({
    status,
    error,
    headers: new Headers(headers),
    nowMs: NOW,
    mask: (text) => text.replaceAll(KEY, '***'),
  });

describe('what a provider’s error means', () => {
  test.each<[number | null, unknown, ProviderErrorKind]>([
    [400, { message: 'bad parameter' }, 'rejected'],
    [400, { metadata: { error_type: 'context_length_exceeded' } }, 'context_too_long'],
    [400, { code: 'context_length_exceeded', message: '…' }, 'context_too_long'],
    [400, { message: 'This model’s maximum context length is 8192 tokens' }, 'context_too_long'],
    [
      400,
      { message: 'Provider returned error', metadata: { raw: '{"error":"prompt is too long"}' } },
      'context_too_long',
    ],
    [401, { message: 'no' }, 'account'],
    [402, undefined, 'account'],
    [403, { message: 'flagged' }, 'rejected'],
    [404, undefined, 'not_found'],
    [408, undefined, 'timeout'],
    [413, undefined, 'rejected'],
    [422, undefined, 'rejected'],
    [429, undefined, 'rate_limited'],
    [500, undefined, 'unavailable'],
    [503, undefined, 'unavailable'],
    [504, undefined, 'timeout'],
    [524, undefined, 'timeout'],
    [529, undefined, 'unavailable'],
    [301, undefined, 'not_found'],
    [null, { code: 429, message: '…' }, 'rate_limited'],
    [null, { code: '402' }, 'account'],
    [null, { code: 'server_error' }, 'unavailable'],
    [null, { code: 'rate_limit_exceeded' }, 'rate_limited'],
    [null, { metadata: { error_type: 'provider_overloaded' } }, 'unavailable'],
    [null, { error_type: 'invalid_prompt', http_status: 400 }, 'rejected'],
    [null, 'some text', 'unavailable'],
    [null, {}, 'unavailable'],
  ])('status %p with %j is %s', (status, error, kind) => {
    expect(errorOf(status, error)).toMatchObject({ name: 'ProviderError', kind });
  });

  test('the message is ours, the cause has the provider’s words without the key', () => {
    const error = errorOf(400, { message: `Bad key ${KEY} ${'x'.repeat(500)}` });
    expect(error.message).toBe('The model refused the request');
    expect(inspect(error, { depth: 9 })).not.toContain(KEY);
    expect(String(error.cause)).toContain('Bad key ***');
    expect(String(error.cause).length).toBeLessThan(300);
  });

  test.each([
    [403, { message: 'Your input “my private words” was flagged' }],
    [400, { message: 'my private words', metadata: { error_type: 'content_policy_violation' } }],
  ])('a refusal that may quote the user (%p) keeps its words out of the cause', (status, body) => {
    expect(inspect(errorOf(status, body), { depth: 9 })).not.toContain('private');
  });
});

describe('whom a failure concerns', () => {
  const keyLimit = {
    message: 'Key limit exceeded (monthly limit). Manage it using https://openrouter.ai/settings/keys',
  };

  test.each<[number | null, unknown, ProviderErrorKind, string]>([
    [401, { message: 'No auth credentials found' }, 'account', 'key'],
    [402, { message: 'Insufficient credits' }, 'account', 'key'],
    [null, { code: 402, message: 'Insufficient credits' }, 'account', 'key'],
    [403, keyLimit, 'account', 'key'],
    [403, { message: 'Your input was flagged', metadata: { reasons: ['x'] } }, 'rejected', 'model'],
    [401, { message: 'Provider returned error', metadata: { provider_name: 'Azure' } }, 'unavailable', 'model'],
    [429, { message: 'Rate limit exceeded: free-models-per-min. ' }, 'rate_limited', 'free'],
    [429, { message: 'Rate limit exceeded: free-models-per-day-high-balance. ' }, 'rate_limited', 'free'],
    [null, { code: 429, message: 'Rate limit exceeded: free-models-per-day. Add 10 credits' }, 'rate_limited', 'free'],
    [429, { message: 'Provider returned error', metadata: { provider_name: 'Chutes' } }, 'rate_limited', 'model'],
    [500, { message: 'free-models-per-day' }, 'unavailable', 'model'],
  ])('status %p with %j is %s of the %s', (status, error, kind, scope) => {
    expect(errorOf(status, error)).toMatchObject({ kind, scope });
  });

  const NOON_TO_MIDNIGHT = 12 * 60 * 60 * 1000;
  const perMinute = { message: 'Rate limit exceeded: free-models-per-min.' };
  const perDay = { message: 'Rate limit exceeded: free-models-per-day.' };

  test.each<[object, Record<string, string>, number | null]>([
    [perMinute, { 'x-ratelimit-reset': String(NOW + 20_000), 'retry-after': '1' }, 20_000],
    [perMinute, { 'x-ratelimit-reset': String(NOW / 1000 + 20) }, 20_000],
    [{ ...perMinute, metadata: { headers: { 'X-RateLimit-Reset': String(NOW + 9000) } } }, {}, 9000],
    [perMinute, { 'retry-after': '4' }, 4000],
    [perMinute, {}, null],
    [perDay, {}, NOON_TO_MIDNIGHT],
    [perDay, { 'retry-after': '4' }, NOON_TO_MIDNIGHT],
    [perDay, { 'x-ratelimit-reset': String(NOW + 5000) }, 5000],
  ])('the free pool is closed by %j with %j for %p ms', (error, headers, waitMs) => {
    expect(errorOf(429, error, headers).retryAfterMs).toBe(waitMs);
  });
});

describe('how long to wait', () => {
  test.each<[Record<string, string>, unknown, number | null]>([
    [{ 'retry-after': '2' }, null, 2000],
    [{ 'retry-after': '1.5' }, null, 1500],
    [{ 'retry-after': '0' }, null, 0],
    [{ 'retry-after-ms': '250', 'retry-after': '9' }, null, 250],
    [{ 'retry-after': 'Sat, 21 Nov 2026 12:00:30 GMT' }, null, 30_000],
    [{ 'retry-after': 'Sat, 21 Nov 2026 11:00:00 GMT' }, null, null],
    [{ 'retry-after': '-1' }, null, null],
    [{ 'retry-after': 'soon' }, null, null],
    [{ 'retry-after': '1000000000' }, null, 86_400_000],
    [{ 'x-ratelimit-reset': String(NOW + 5000) }, null, 5000],
    [{ 'x-ratelimit-reset': String(NOW / 1000 + 5) }, null, 5000],
    [{}, { metadata: { headers: { 'X-RateLimit-Reset': String(NOW + 7000) } } }, 7000],
    [{}, { availability: { retry_after: 3 } }, 3000],
    [{}, { metadata: null }, null],
    [{}, null, null],
  ])('%j and %j: %p ms', (headers, error, expected) => {
    expect(readRetryAfterMs(new Headers(headers), error, NOW)).toBe(expected);
  });
});
