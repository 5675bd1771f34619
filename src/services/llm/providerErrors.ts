import { fieldOf, textOf } from './jsonValue.ts';
import type { Mask } from './mask.ts';
import { ProviderError, type FailureScope, type ProviderErrorKind, type ProviderErrorOptions } from './provider.ts';
import { readFreePoolWaitMs, readRetryAfterMs } from './retryAfter.ts';

/** What people read; the provider's own words stay in `cause`. */
const MESSAGES: Readonly<Record<ProviderErrorKind, string>> = {
  rejected: 'The model refused the request',
  context_too_long: 'The conversation is longer than the model’s context window',
  account: 'The model endpoint refused the server’s key or account',
  rate_limited: 'The model is rate-limited',
  not_found: 'The model endpoint does not offer this model',
  unavailable: 'The model is not available',
  network: 'The connection to the model endpoint failed',
  timeout: 'The model took too long',
  invalid: 'The model’s answer was not valid',
};

/** OpenRouter's `error_type` and OpenAI's `code`, as far as they say more than the status (openrouter.ai/docs, "Errors"). */
const KIND_OF_TYPE: Readonly<Record<string, ProviderErrorKind>> = {
  context_length_exceeded: 'context_too_long',
  invalid_request: 'rejected',
  invalid_request_error: 'rejected',
  invalid_prompt: 'rejected',
  content_policy_violation: 'rejected',
  refusal: 'rejected',
  permission_denied: 'rejected',
  payload_too_large: 'rejected',
  unprocessable: 'rejected',
  authentication: 'account',
  invalid_api_key: 'account',
  payment_required: 'account',
  insufficient_quota: 'account',
  rate_limit_exceeded: 'rate_limited',
  not_found: 'not_found',
  model_not_found: 'not_found',
  timeout: 'timeout',
  provider_unavailable: 'unavailable',
  provider_overloaded: 'unavailable',
  server: 'unavailable',
  server_error: 'unavailable',
};

const KIND_OF_STATUS: Readonly<Record<number, ProviderErrorKind>> = {
  401: 'account',
  402: 'account',
  404: 'not_found',
  405: 'not_found',
  408: 'timeout',
  409: 'unavailable',
  425: 'unavailable',
  429: 'rate_limited',
  504: 'timeout',
  524: 'timeout',
};

/** Endpoints without a stable code say it only in words. */
const CONTEXT_WORDS = /context[ _](length|window|size)|maximum context|too many tokens|prompt is too long/i;
/** Kinds of refusal whose text may quote what the user wrote. */
const MAY_QUOTE_INPUT = /policy|moderation|refusal|permission|invalid_prompt|flagged/i;
/** What is logged of an endpoint's own words. */
export const MAX_CAUSE_CHARS = 200;
/** OpenRouter's limits of the whole account, however many keys and free models there are (openrouter.ai/docs, "Limits"). */
const FREE_POOL_WORDS = /free-models-per-/i;
/** A 403 is mostly about what the user wrote; a key whose spending limit is reached, or that is disabled, gets one too. */
const KEY_WORDS = /\bkey\b.{0,40}\b(limit|exceeded|disabled|expired|revoked|not (allowed|permitted))/i;

const kindOfStatus = (status: number): ProviderErrorKind => {
  const known = KIND_OF_STATUS[status];
  if (known) return known;
  if (status >= 500) return 'unavailable';
  // Redirects are not followed, since the key would go with them: the base URL names the wrong place.
  return status < 400 ? 'not_found' : 'rejected';
};

interface Failure {
  /** HTTP status; null inside a stream, where the error's own code is all there is. */
  readonly status: number | null;
  /** The `error` object of the body. */
  readonly error: unknown;
  readonly headers: { get(name: string): string | null } | null;
  readonly nowMs: number;
  readonly mask: Mask;
}

const statusOf = ({ status, error }: Failure): number | null => {
  const code = Number(fieldOf(error, 'code') ?? fieldOf(error, 'http_status') ?? NaN);
  return status ?? (code >= 300 && code <= 599 ? code : null);
};

const metadataOf = (error: unknown, name: string): unknown => fieldOf(fieldOf(error, 'metadata'), name);

const providerOf = (error: unknown): string | null => textOf(metadataOf(error, 'provider_name'));

const wordsOf = (error: unknown): string => textOf(fieldOf(error, 'message')) ?? textOf(error) ?? '';

const typeOf = (error: unknown): string | null =>
  textOf(metadataOf(error, 'error_type')) ??
  textOf(fieldOf(error, 'error_type')) ??
  textOf(fieldOf(error, 'code')) ??
  textOf(fieldOf(error, 'type'));

/** OpenRouter passes on what the provider behind it says of OpenRouter's or the user's own key there: not about ours. */
const isUpstreamAccount = ({ error }: Failure, status: number | null): boolean =>
  (status === 401 || status === 402) && providerOf(error) !== null;

const isKeyRefused = (status: number | null, text: string): boolean => status === 403 && KEY_WORDS.test(text);

const kindOf = (failure: Failure, type: string | null, text: string): ProviderErrorKind => {
  const status = statusOf(failure);
  if (isUpstreamAccount(failure, status)) return 'unavailable';
  if (isKeyRefused(status, text)) return 'account';
  const byType = type === null ? undefined : KIND_OF_TYPE[type];
  const saysTooLong = (status === 400 || status === 413) && CONTEXT_WORDS.test(text);
  if (saysTooLong || byType === 'context_too_long') return 'context_too_long';
  if (status !== null) return kindOfStatus(status);
  return byType ?? 'unavailable';
};

/** For the log: codes always, the provider's words shortened, masked, and only where they cannot quote the user. */
const causeOf = (failure: Failure, type: string | null, text: string): Error => {
  const status = statusOf(failure);
  const provider = providerOf(failure.error);
  const mayQuote = status === 403 || MAY_QUOTE_INPUT.test(`${type ?? ''} ${text}`);
  const words = mayQuote ? null : failure.mask(text).slice(0, MAX_CAUSE_CHARS) || null;
  return new Error([status ?? 'in the stream', type, provider, words].filter((item) => item !== null).join(' · '));
};

const scopeOf = (kind: ProviderErrorKind, text: string): FailureScope => {
  if (kind === 'account') return 'key';
  return kind === 'rate_limited' && FREE_POOL_WORDS.test(text) ? 'free' : 'model';
};

/**
 * What a provider's error object means to us, whether it came with a status or inside a 200 stream.
 * @returns an error whose message is ours and public; the provider's words are in its `cause`
 */
export const toProviderError = (failure: Failure): ProviderError => {
  const { error, headers, nowMs } = failure;
  const text = wordsOf(error);
  const type = typeOf(error);
  const kind = kindOf(failure, type, `${text} ${textOf(metadataOf(error, 'raw')) ?? ''}`);
  const scope = scopeOf(kind, text);
  return providerError(kind, {
    cause: causeOf(failure, type, text),
    scope,
    retryAfterMs: (scope === 'free' ? readFreePoolWaitMs : readRetryAfterMs)(headers, error, nowMs),
  });
};

/** An error of our own finding. */
export const providerError = (kind: ProviderErrorKind, options: ProviderErrorOptions = {}): ProviderError =>
  new ProviderError(kind, MESSAGES[kind], options);
