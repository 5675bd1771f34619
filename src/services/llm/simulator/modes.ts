import type { Exchange } from './exchange.ts';
import { BREAKING, FAILING } from './failingModes.ts';
import { answer, close, DEFAULT_WORDS, type Mode } from './mode.ts';
import { countedText, echoText, newcomerText, UNICODE_TEXT } from './text.ts';

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
  'done-then-late-end': async (exchange, delayMs) => {
    exchange.open();
    await exchange.say(countedText(DEFAULT_WORDS));
    await exchange.finish();
    await exchange.usage();
    await exchange.write('data: [DONE]\n\n');
    await exchange.wait(delayMs);
    exchange.end();
  },
  'finish-then-open-socket': async (exchange) => {
    exchange.open();
    await exchange.say(countedText(DEFAULT_WORDS));
    await exchange.finish();
    await exchange.usage();
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
