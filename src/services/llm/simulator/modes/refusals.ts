import type { Exchange } from '../exchange.ts';
import { detailed, errorBody, FAULT, type ModeTable, type Play, type PlayedMode } from './mode.ts';

type Fields = Readonly<Record<string, unknown>>;

const refusal = (about: string, status: number, body: Fields): PlayedMode => ({
  about,
  play: (exchange) => exchange.json(status, body),
});

const retryAfter = (seconds: string): Readonly<Record<string, string>> => ({ 'Retry-After': seconds });

/** Refuses for now; the argument is what Retry-After says, in seconds. */
const refusalFor =
  (status: number, type: string, seconds: number): Play =>
  (exchange, argument) =>
    exchange.json(
      status,
      errorBody(status, type, 'Provider returned error'),
      retryAfter(String(argument.count(seconds))),
    );

/** OpenRouter's own limit: the only refusals with rate-limit headers, which the body repeats (docs, "Limits"). */
const platformLimit = (exchange: Exchange, window: 'min' | 'day'): void => {
  const { account } = exchange.stage;
  const isMinute = window === 'min';
  const headers = {
    'X-RateLimit-Limit': String(isMinute ? account.limits.perMinute : account.limits.perDay),
    'X-RateLimit-Remaining': '0',
    'X-RateLimit-Reset': String(isMinute ? account.minuteEndsAt() : account.dayEndsAt()),
  };
  const message = `Rate limit exceeded: free-models-per-${window}. `;
  exchange.json(429, detailed(errorBody(429, 'rate_limit_exceeded', message), { headers }), headers);
};

/** What the argument of `429-retry-after` stands for: most are sent as they are. */
const RETRY_AFTER_WORDS: Readonly<Record<string, (exchange: Exchange) => string>> = {
  date: ({ stage }) => new Date(stage.now() + stage.timings.retryAfterMs).toUTCString(),
  'past-date': ({ stage }) => new Date(stage.now() - 60_000).toUTCString(),
  garbage: () => 'in a little while',
};

const saidRetryAfter = (exchange: Exchange, text: string): string =>
  RETRY_AFTER_WORDS[text]?.(exchange) ?? (text || String(exchange.stage.timings.retryAfterMs / 1000));

const UPSTREAM_LIMIT = detailed(errorBody(429, 'rate_limit_exceeded', 'Provider returned error'), {
  provider_name: 'Parley simulator',
  raw: 'The model is temporarily rate-limited upstream. Please retry shortly.',
  is_byok: false,
  limit_source: 'upstream_provider_shared_pool',
});

const page = (about: string, status: number, heading: string): PlayedMode => ({
  about,
  play: (exchange) =>
    exchange.json(status, `<!doctype html><h1>${heading}</h1>`, { 'Content-Type': 'text/html; charset=UTF-8' }),
});

export const refuseContext = (exchange: Exchange, maxTokens: number): void => {
  const message = `This endpoint's maximum context length is ${String(maxTokens)} tokens. However, you requested about ${String(exchange.request.promptTokens)} tokens.`;
  exchange.json(400, errorBody(400, 'context_length_exceeded', message));
};

/** Statuses that are no answer, and bodies that are none. */
export const REFUSALS: ModeTable = {
  '400': refusal('a bad request', 400, errorBody(400, 'invalid_request', 'max_tokens must be at least 16')),
  '400-context': {
    about: 'the prompt is too long for a model of N tokens (8192)',
    takes: 'N',
    play: (exchange, argument) => refuseContext(exchange, argument.count(8192)),
  },
  '400-policy': refusal(
    'a content policy of the provider',
    400,
    errorBody(400, 'content_policy_violation', 'The request was rejected by the content policy'),
  ),
  '400-models-limit': refusal(
    'more than three `models`; in every mode the answer to such a request',
    400,
    errorBody(400, 'invalid_request', "'models' array must have 3 items or fewer."),
  ),
  '401': refusal('the key is not known', 401, errorBody(401, 'authentication', 'No auth credentials found')),
  '402': refusal('the credit is spent', 402, errorBody(402, 'payment_required', 'Insufficient credits')),
  '403': refusal('not allowed', 403, errorBody(403, 'permission_denied', 'This model is not available to you')),
  '403-moderation': refusal(
    'the input was flagged',
    403,
    detailed(errorBody(403, 'permission_denied', 'This model requires moderation and your input was flagged'), {
      reasons: ['harassment'],
      flagged_input: 'the first words of it...',
      provider_name: 'Parley simulator',
      model_slug: 'sim/403-moderation',
    }),
  ),
  '404': refusal('no such model', 404, errorBody(404, 'not_found', 'No endpoints found')),
  '404-no-endpoints': refusal('no provider fits what was asked', 404, {
    error: {
      ...errorBody(404, 'not_found', 'No endpoints found that support tool use').error,
      availability: { code: 'no_endpoints', retryable: false },
    },
  }),
  '404-free-ended': refusal('the free variant of the model has ended', 404, {
    error: {
      ...errorBody(404, 'not_found', 'The free period of this model has ended').error,
      availability: { code: 'free_variant_ended', retryable: false },
    },
  }),
  '408': refusal('the provider timed out', 408, errorBody(408, 'timeout', 'Request timed out')),
  '413': refusal('the request is too large', 413, errorBody(413, 'payload_too_large', 'Request too large')),
  '422': refusal('the request makes no sense', 422, errorBody(422, 'unprocessable', 'Unprocessable request')),
  '429': {
    about: 'a rate limit, with `Retry-After: N` (7)',
    takes: 'N',
    play: refusalFor(429, 'rate_limit_exceeded', 7),
  },
  '429-platform': {
    about: 'the account’s limit per minute on all `:free` models, until `X-RateLimit-Reset` (epoch ms)',
    play: (exchange) => platformLimit(exchange, 'min'),
  },
  '429-day': {
    about: 'the account’s limit per day on all `:free` models, until the next midnight, UTC',
    play: (exchange) => platformLimit(exchange, 'day'),
  },
  '429-upstream': refusal(
    'this model’s provider limits it; no headers, the truth in `metadata.raw`',
    429,
    UPSTREAM_LIMIT,
  ),
  '429-retry-after': {
    about: '`429` with this `Retry-After` as it is: `2`, `0`, `-1`, `1e9`, or `date`, `past-date`, `garbage`',
    takes: 'text',
    play: (exchange, { text }) => exchange.json(429, UPSTREAM_LIMIT, retryAfter(saidRetryAfter(exchange, text))),
  },
  '500': refusal('an error of the server’s', 500, errorBody(500, 'server', 'Internal Server Error')),
  '502': refusal('the provider is down', 502, FAULT),
  '502-html': page('a proxy’s page', 502, 'Bad gateway'),
  '503': {
    about: 'the provider is overloaded, with `Retry-After: N` (3)',
    takes: 'N',
    play: refusalFor(503, 'provider_overloaded', 3),
  },
  '503-retry-after': {
    about: 'the provider is overloaded, with `Retry-After: N` (2)',
    takes: 'N',
    play: refusalFor(503, 'provider_overloaded', 2),
  },
  '504': refusal('the provider timed out', 504, errorBody(504, 'timeout', 'Gateway timeout')),
  '524': page('the edge’s page for a timeout', 524, 'A timeout occurred'),
  '529': refusal('the provider is overloaded', 529, errorBody(529, 'provider_overloaded', 'Overloaded')),
  html: page('a 200 that is a page', 200, 'Just a moment…'),
  '200-json-error': {
    about: 'a 200 whose JSON is an error',
    play: (exchange) => exchange.json(200, FAULT),
  },
  'empty-body': {
    about: 'a 200 of JSON without a byte',
    play: (exchange) => exchange.json(200, ''),
  },
  'truncated-json': {
    about: 'a 200 whose JSON breaks off',
    play: (exchange) => exchange.json(200, '{"id":"gen-1","choices":[{"message":{"role":"assistant","content":"Hel'),
  },
  'wrong-content-type': {
    about: 'a 200 of plain text that is no stream',
    play: (exchange) => exchange.json(200, 'upstream ok', { 'Content-Type': 'text/plain' }),
  },
};
