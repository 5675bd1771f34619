import { answer, close, DEFAULT_WORDS, type Mode } from './mode.ts';
import { countedText } from './text.ts';

/** OpenRouter's error object (openrouter.ai/docs, "Errors and debugging"). */
const errorBody = (code: number, type: string, message: string) => ({
  error: { code, message, metadata: { error_type: type } },
});

const FAULT = errorBody(502, 'provider_unavailable', 'Provider returned error');

const refusal =
  (status: number, type: string, message: string): Mode =>
  (exchange) =>
    exchange.json(status, errorBody(status, type, message));

/** Refuses for now; `seconds` is what Retry-After says. */
const refusalFor =
  (defaultSeconds: number, status: number, type: string): Mode =>
  (exchange, seconds) =>
    exchange.json(status, errorBody(status, type, 'Provider returned error'), {
      'Retry-After': String(seconds || defaultSeconds),
    });

/** Refusals and answers that are none. */
export const FAILING: Readonly<Record<string, Mode>> = {
  '400-context': refusal(400, 'context_length_exceeded', "This model's maximum context length is 8192 tokens"),
  '400': refusal(400, 'invalid_request', 'max_tokens must be at least 16'),
  '401': refusal(401, 'authentication', 'No auth credentials found'),
  '402': refusal(402, 'payment_required', 'Insufficient credits'),
  '403': refusal(403, 'permission_denied', 'Your input was flagged'),
  '404': refusal(404, 'not_found', 'No endpoints found'),
  '429': refusalFor(7, 429, 'rate_limit_exceeded'),
  '500': refusal(500, 'server', 'Internal Server Error'),
  '503': refusalFor(3, 503, 'provider_overloaded'),
  html: (exchange) => exchange.json(200, '<!doctype html><h1>Just a moment…</h1>', { 'Content-Type': 'text/html' }),
  '502-html': (exchange) => exchange.json(502, '<!doctype html><h1>Bad gateway</h1>', { 'Content-Type': 'text/html' }),
  '200-json-error': (exchange) => exchange.json(200, FAULT),
  'blank-200': (exchange) => {
    exchange.open();
    exchange.end();
  },
  empty: async (exchange) => {
    exchange.open();
    await close(exchange);
  },
  'content-filter': async (exchange) => {
    exchange.open();
    await close(exchange, 'content_filter');
  },
  whitespace: (exchange) => answer(exchange, ' \n\n '),
  'reset-before-headers': (exchange) => exchange.reset(),
  'stall-headers': (exchange) => exchange.stall(),
  'stall-first-token': async (exchange) => {
    exchange.open();
    await exchange.stall();
  },
  'comments-only': async (exchange, everyMs) => {
    exchange.open();
    while (!exchange.isGone) {
      await exchange.write(': OPENROUTER PROCESSING\n\n');
      await exchange.wait(everyMs || 5);
    }
  },
  'err-first-event': async (exchange) => {
    exchange.open();
    await exchange.write(`data: ${JSON.stringify({ choices: [], ...FAULT })}\n\n`);
    exchange.end();
  },
  'malformed-first': async (exchange) => {
    exchange.open();
    await exchange.write('data: {"choices":[{"del\n\n');
    await exchange.say(countedText(DEFAULT_WORDS));
    await close(exchange);
  },
};

/** Answers that break after some words. */
export const BREAKING: Readonly<Record<string, Mode>> = {
  'cut-after': async (exchange, words) => {
    exchange.open();
    await exchange.say(countedText(words));
    exchange.end();
  },
  'reset-after': async (exchange, words) => {
    exchange.open();
    await exchange.say(countedText(words));
    await exchange.wait(20);
    exchange.reset();
  },
  'stall-mid': async (exchange, words) => {
    exchange.open();
    await exchange.say(countedText(words));
    await exchange.stall();
  },
  'comments-mid': async (exchange, words) => {
    exchange.open();
    await exchange.say(countedText(words));
    while (!exchange.isGone) {
      await exchange.write(': OPENROUTER PROCESSING\n\n');
      await exchange.wait(5);
    }
  },
  'err-mid': async (exchange, words) => {
    exchange.open();
    await exchange.say(countedText(words));
    await exchange.chunk({ delta: { content: '' }, finish_reason: 'error' }, FAULT);
    exchange.end();
  },
  'err-choice-only': async (exchange, words) => {
    exchange.open();
    await exchange.say(countedText(words));
    await exchange.chunk({ delta: { content: '' }, finish_reason: 'error' });
    exchange.end();
  },
  'event-error': async (exchange, words) => {
    exchange.open();
    await exchange.say(countedText(words));
    await exchange.write('event: error\ndata: {"error":{"message":"boom","code":"server_error"}}\n\n');
    exchange.end();
  },
  malformed: async (exchange, frames) => {
    exchange.open();
    await exchange.say('word1');
    for (let sent = 0; sent < frames; sent += 1) await exchange.write('data: {"choices":[{"del\n\n');
    await exchange.say(' word2');
    await close(exchange);
  },
};
