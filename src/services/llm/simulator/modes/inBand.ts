import type { Exchange } from '../exchange.ts';
import { countedText } from '../text.ts';
import {
  answer,
  close,
  DEFAULT_WORDS,
  errorBody,
  FAULT,
  tell,
  WORDS_BEFORE_BREAK,
  type ModeTable,
  type Play,
} from './mode.ts';

const GARBAGE = 'data: {"choices":[{"del\n\n';
const REPEATED = 200;

/** The stream's own way to fail: a chunk with an error beside an empty choice (docs, "Errors and debugging"). */
const failWith = async (exchange: Exchange, body: Readonly<Record<string, unknown>>): Promise<void> => {
  exchange.tally.isFailed = true;
  await exchange.chunk({ delta: { content: '' }, finish_reason: 'error' }, body);
  exchange.end();
};

/** Says N words and fails. */
const failing =
  (fail: (exchange: Exchange) => Promise<void>): Play =>
  async (exchange, argument) => {
    exchange.open();
    await tell(exchange, countedText(argument.count(WORDS_BEFORE_BREAK)));
    await fail(exchange);
  };

const garbage = async (exchange: Exchange, frames: number): Promise<void> => {
  for (let sent = 0; sent < frames; sent += 1) await exchange.write(GARBAGE);
};

/** Streams of a 200 that say something else than an answer. */
export const IN_BAND: ModeTable = {
  'err-first-event': {
    about: 'the first event is an error, with `choices: []`',
    play: async (e) => {
      e.open();
      e.tally.isFailed = true;
      await e.frame({ choices: [], ...FAULT });
      e.end();
    },
  },
  'err-mid': { about: 'an error after N words (3)', takes: 'N', play: failing((e) => failWith(e, FAULT)) },
  'err-choice-only': {
    about: '`finish_reason: "error"` after N words (3), and no error object',
    takes: 'N',
    play: failing((e) => failWith(e, {})),
  },
  'err-string-code': {
    about: 'an error after N words (3) whose code is the string `server_error`',
    takes: 'N',
    play: failing((e) => failWith(e, errorBody('server_error', 'server', 'The server had an error'))),
  },
  'event-error': {
    about: 'an event named `error` after N words (3)',
    takes: 'N',
    play: failing(async (e) => {
      e.tally.isFailed = true;
      await e.frame({ error: { message: 'boom', code: 'server_error' } }, 'error');
      e.end();
    }),
  },
  malformed: {
    about: 'N frames (1) that are no JSON in the middle of a good answer',
    takes: 'N',
    play: async (e, argument) => {
      e.open();
      await e.say('word1');
      await garbage(e, argument.count(1));
      await e.say(' word2');
      await close(e);
    },
  },
  'malformed-first': {
    about: 'the first frame is no JSON',
    play: async (e) => {
      e.open();
      await garbage(e, 1);
      await tell(e, countedText(DEFAULT_WORDS));
      await close(e);
    },
  },
  'dup-finish': {
    about: 'the finish reason comes twice',
    play: async (e) => {
      e.open();
      await tell(e, countedText(DEFAULT_WORDS));
      await e.finish();
      await close(e);
    },
  },
  'usage-missing': {
    about: 'no usage in the stream; `/generation` has it',
    play: async (e) => {
      e.open();
      await tell(e, countedText(DEFAULT_WORDS));
      await e.finish();
      await e.done();
    },
  },
  'empty-stream': {
    about: 'an event stream of `[DONE]` alone',
    play: async (e) => {
      e.open();
      await e.done();
    },
  },
  empty: {
    about: 'an answer without a word that finishes with `stop`',
    play: async (e) => {
      e.open();
      await close(e);
    },
  },
  whitespace: { about: 'an answer of white space', play: (e) => answer(e, ' \n\n ') },
  'repeat-loop': {
    about: 'the same words 200 times',
    play: async (e) => {
      e.open();
      await e.say('again '.repeat(REPEATED));
      await close(e);
    },
  },
};
