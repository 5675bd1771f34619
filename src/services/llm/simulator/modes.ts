import type { Exchange } from './exchange.ts';
import { countedText, echoText, newcomerText, UNICODE_TEXT } from './text.ts';

/** How a model behaves: plays one call; `count` is the number after the mode's colon, or the mode's default. */
type Mode = (exchange: Exchange, count: number) => Promise<void> | void;

const DEFAULT_WORDS = 8;

/** The usual end: finish reason, books, `[DONE]`. */
const close = async (exchange: Exchange, reason = 'stop'): Promise<void> => {
  await exchange.finish(reason);
  await exchange.usage();
  await exchange.done();
};

const answer = async (exchange: Exchange, text: string): Promise<void> => {
  exchange.open();
  await exchange.say(text);
  await close(exchange);
};

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
const FAILING: Readonly<Record<string, Mode>> = {
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
const BREAKING: Readonly<Record<string, Mode>> = {
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

/** Good answers in unusual clothes. */
const UNUSUAL: Readonly<Record<string, Mode>> = {
  ok: (exchange) => answer(exchange, newcomerText(exchange.request.messages)),
  echo: (exchange) => answer(exchange, echoText(exchange.request.messages)),
  words: (exchange, words) => answer(exchange, countedText(words)),
  slow: (exchange) => answer(exchange, newcomerText(exchange.request.messages)),
  crlf: (exchange) => answer(exchange, UNICODE_TEXT),
  'utf8-split': (exchange) => answer(exchange, UNICODE_TEXT),
  'usage-missing': async (exchange) => {
    exchange.open();
    await exchange.say(countedText(DEFAULT_WORDS));
    await exchange.finish();
    await exchange.done();
  },
  comments: async (exchange) => {
    exchange.open();
    await exchange.write(': OPENROUTER PROCESSING\n\n');
    await exchange.say('word1');
    await exchange.write(': OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n');
    await exchange.say(' word2');
    await close(exchange);
  },
  'no-done': async (exchange) => {
    exchange.open();
    await exchange.say(countedText(DEFAULT_WORDS));
    await exchange.finish();
    await exchange.usage();
    exchange.end();
  },
  'done-then-open-socket': async (exchange) => {
    exchange.open();
    await exchange.say(countedText(DEFAULT_WORDS));
    await exchange.finish();
    await exchange.usage();
    await exchange.write('data: [DONE]\n\n');
    await exchange.stall();
  },
  reasoning: async (exchange) => {
    exchange.open();
    for (const thought of ['Let me ', 'think.']) await exchange.chunk({ delta: { content: '', reasoning: thought } });
    await exchange.say(countedText(DEFAULT_WORDS));
    await close(exchange);
  },
  length: async (exchange) => {
    exchange.open();
    await exchange.say(countedText(DEFAULT_WORDS));
    await close(exchange, 'length');
  },
};

const MODES = new Map(Object.entries({ ...FAILING, ...BREAKING, ...UNUSUAL }));
/** Models of the product, and of whoever asks for one that is no mode. */
const DEFAULT_MODE = 'ok';

export interface ChosenMode {
  readonly name: string;
  /** The number after the colon; 0 without one. */
  readonly count: number;
  readonly play: (exchange: Exchange) => Promise<void> | void;
}

/** @param text `<mode>` or `<mode>:<number>`; null when there is no such mode */
export const findMode = (text: string): ChosenMode | null => {
  const [name = DEFAULT_MODE, argument] = text.split(':');
  const mode = MODES.get(name);
  const count = Number(argument ?? 0);
  return mode ? { name, count, play: (exchange) => mode(exchange, count) } : null;
};

/** `sim/<mode>[:number]` names a mode; every other model answers normally. */
export const modeTextOf = (model: string): string =>
  model.startsWith('sim/') ? model.slice('sim/'.length) : DEFAULT_MODE;
