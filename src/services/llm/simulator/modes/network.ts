import { countedText } from '../text.ts';
import type { Exchange } from '../exchange.ts';
import { callTool, think } from './happy.ts';
import { close, COMMENT, DEFAULT_WORDS, tell, WORDS_BEFORE_BREAK, type ModeTable, type Play } from './mode.ts';

/** Between two comments of a connection that says nothing else. */
const COMMENT_GAP_MS = 5;
/** How long a closed port stays closed. */
const CLOSED_PORT_MS = 1000;
const TORN_FRAME = 'data: {"id":"gen-1","choices":[{"index":0,"delta":{"content":"wo';

/** Silent until the client goes away; with a duration until then, and the connection ends. */
const silent = async (exchange: Exchange, ms: number): Promise<void> => {
  if (ms === 0) return exchange.stall();
  await exchange.wait(ms);
  exchange.hangUp();
};

/** Comments and nothing else until the client goes away. */
const mumble = async (exchange: Exchange, everyMs: number): Promise<void> => {
  while (!exchange.isGone) {
    await exchange.write(COMMENT);
    await exchange.wait(Math.max(1, everyMs));
  }
};

const sayFirst = async (exchange: Exchange, words: number): Promise<void> => {
  exchange.open();
  await tell(exchange, countedText(words));
};

/** Says N words and breaks off. */
const breaking =
  (breakOff: (exchange: Exchange) => Promise<void> | void): Play =>
  async (exchange, argument) => {
    await sayFirst(exchange, argument.count(WORDS_BEFORE_BREAK));
    await breakOff(exchange);
  };

const comments: Play = async (exchange, argument) => {
  exchange.open();
  await mumble(exchange, argument.ms(COMMENT_GAP_MS));
};

/** Connections that break, and such that do not but might as well. */
export const NETWORK: ModeTable = {
  'reset-before-headers': { about: 'RST instead of an answer', play: (e) => e.reset() },
  'blank-200': {
    about: 'an event stream that ends without a byte',
    play: (e) => {
      e.open();
      e.end();
    },
  },
  'reset-mid-chunk': {
    about: 'RST in the middle of a frame, after N words (3)',
    takes: 'N',
    play: breaking(async (e) => {
      await e.linger();
      e.writeTornChunk(TORN_FRAME);
      await e.linger();
      e.reset();
    }),
  },
  'fin-mid-chunk': {
    about: 'FIN in the middle of a frame, after N words (3)',
    takes: 'N',
    play: breaking(async (e) => {
      await e.linger();
      e.writeTornChunk(TORN_FRAME);
      e.hangUp();
    }),
  },
  'cut-after': {
    about: 'the answer ends, as if it were complete, after N words (3)',
    takes: 'N',
    play: breaking((e) => e.end()),
  },
  'reset-after': {
    about: 'RST between two frames, after N words (3)',
    takes: 'N',
    play: breaking(async (e) => {
      await e.linger();
      e.reset();
    }),
  },
  refuse: {
    about: 'RST, and for the duration (1 s) the port is closed to everybody',
    takes: 'duration',
    play: (e, argument) => {
      e.stage.closePort(argument.ms(CLOSED_PORT_MS));
      e.reset();
    },
  },
  'stall-connect': {
    about: 'silence after the connect: to a client of a listening port the same as `stall-headers`',
    takes: 'duration',
    play: (e, argument) => silent(e, argument.ms(0)),
  },
  'stall-headers': {
    about: 'no headers, for ever; with a duration until then, and the connection ends',
    takes: 'duration',
    play: (e, argument) => silent(e, argument.ms(0)),
  },
  'stall-first-token': {
    about: 'headers and then silence, for ever or for the duration',
    takes: 'duration',
    play: async (e, argument) => {
      e.open();
      await silent(e, argument.ms(0));
    },
  },
  'stall-first-token-with-comments': {
    about: 'headers and then only comments, one per duration (5 ms)',
    takes: 'duration',
    play: comments,
  },
  silence: {
    about: 'headers, silence for the duration (full 120 s, fast 15 s), and the connection ends',
    takes: 'duration',
    play: async (e, argument) => {
      e.open();
      await silent(e, argument.ms(e.stage.timings.silenceMs));
    },
  },
  'stall-mid': { about: 'silence after N words (3)', takes: 'N', play: breaking((e) => e.stall()) },
  'comments-mid': {
    about: 'only comments after N words (3)',
    takes: 'N',
    play: breaking((e) => mumble(e, COMMENT_GAP_MS)),
  },
  'stall-then-resume': {
    about: 'a gap of the duration (full 30 s, fast 4 s) after half of the answer',
    takes: 'duration',
    play: async (e, argument) => {
      await sayFirst(e, DEFAULT_WORDS / 2);
      await e.wait(argument.ms(e.stage.timings.stallMs));
      await e.say(countedText(DEFAULT_WORDS).slice(countedText(DEFAULT_WORDS / 2).length));
      await close(e);
    },
  },
  'tools-cut': {
    about: 'breaks off in the middle of a tool call’s arguments',
    play: async (e) => {
      e.open();
      await callTool(e, 0, 2);
      e.end();
    },
  },
  'reasoning-cut': {
    about: 'breaks off while it thinks',
    play: async (e) => {
      e.open();
      await think(e);
      e.end();
    },
  },
};
