import type { Exchange, UsageShape } from '../exchange.ts';
import { fieldOf, textOf } from '../../jsonValue.ts';
import { countedText, echoText, newcomerText, UNICODE_TEXT } from '../text.ts';
import { answer, close, DEFAULT_WORDS, questionOf, tell, type ModeTable, type Play } from './mode.ts';

const newcomer: Play = (exchange) => answer(exchange, newcomerText(questionOf(exchange)));

const withUsage =
  (shape: UsageShape): Play =>
  async (exchange) => {
    exchange.open();
    await tell(exchange, countedText(DEFAULT_WORDS));
    await exchange.finish();
    await exchange.usage(shape);
    await exchange.done();
  };

const finishingWith =
  (reason: string, words: number): Play =>
  async (exchange, argument) => {
    exchange.open();
    await tell(exchange, countedText(argument.count(words)));
    await close(exchange, reason);
  };

/** Thinks aloud for some words. */
export const think = async (exchange: Exchange): Promise<void> => {
  for (const thought of ['Let me ', 'think.']) {
    await exchange.chunk({ delta: { role: 'assistant', content: '', reasoning: thought } });
    await exchange.wait(0);
  }
};

const TOOL_ARGUMENTS = JSON.stringify({ city: 'Zürich', unit: '°C', note: 'a "quoted" word' });
const FRAGMENT_CHARS = 6;

const nameOfTool = (tools: unknown, index: number): string => {
  const tool: unknown = Array.isArray(tools) ? tools[index % tools.length] : undefined;
  return textOf(fieldOf(fieldOf(tool, 'function'), 'name')) ?? 'get_weather';
};

/** One call of a tool: its name first, its arguments in pieces. */
export const callTool = async (exchange: Exchange, index: number, maxFragments = Infinity): Promise<void> => {
  const name = nameOfTool(exchange.request.fields.tools, index);
  const id = `call_${String(index + 1)}`;
  const first = { index, id, type: 'function', function: { name, arguments: '' } } as const;
  await exchange.chunk({ delta: { role: 'assistant', content: null, tool_calls: [first] } });
  const fragments = TOOL_ARGUMENTS.match(new RegExp(`.{1,${String(FRAGMENT_CHARS)}}`, 'gsu')) ?? [];
  for (const text of fragments.slice(0, maxFragments))
    await exchange.chunk({ delta: { tool_calls: [{ index, function: { arguments: text } }] } });
};

const callTools: Play = async (exchange, argument) => {
  if (exchange.request.lastRole === 'tool') return answer(exchange, countedText(DEFAULT_WORDS));
  exchange.open();
  for (let index = 0; index < argument.count(1); index += 1) await callTool(exchange, index);
  await close(exchange, 'tool_calls');
};

/** Answers as they should be. */
export const HAPPY: ModeTable = {
  ok: { about: 'an answer that says who answers and quotes the question', play: newcomer },
  echo: { about: 'the last user message, unchanged', play: (e) => answer(e, echoText(questionOf(e))) },
  words: {
    about: 'the text `word1 word2 …` of N words, whose completeness can be counted (8)',
    takes: 'N',
    play: (e, argument) => answer(e, countedText(argument.count(DEFAULT_WORDS))),
  },
  slow: { about: 'as `ok`, with N milliseconds between two words', takes: 'N', play: newcomer },
  'slow-first-token': {
    about: 'headers at once, the first token after the duration (full 20 s, fast 3 s)',
    takes: 'duration',
    play: async (e, argument) => {
      e.open();
      await e.wait(argument.ms(e.stage.timings.firstTokenMs));
      await tell(e, countedText(DEFAULT_WORDS));
      await close(e);
    },
  },
  unicode: {
    about: 'joined emoji, CJK, combining marks and flags',
    play: (e) => answer(e, UNICODE_TEXT),
  },
  'ok-usage-old': {
    about: 'usage in a chunk with one empty choice, as before March 2026',
    play: withUsage('old'),
  },
  'ok-usage-new': { about: 'usage in a chunk with `choices: []` and no id', play: withUsage('bare') },
  'ok-nostream': {
    about: 'one `chat.completion` as JSON even where a stream was asked for',
    play: (e) => answer(e, countedText(DEFAULT_WORDS)),
  },
  'ok-context': {
    about: 'as `words`; a prompt of more than N tokens is refused as `400-context`',
    takes: 'N',
    play: (e) => answer(e, countedText(DEFAULT_WORDS)),
  },
  'ok-cached': {
    about: 'as `words`, with N prompt tokens from the prompt cache (all of them)',
    takes: 'N',
    play: (e, argument) => {
      e.tally.cachedTokens = argument.count(Infinity);
      return answer(e, countedText(DEFAULT_WORDS));
    },
  },
  reasoning: {
    about: 'thoughts in `reasoning` deltas, then the answer',
    play: async (e) => {
      e.open();
      await think(e);
      await tell(e, countedText(DEFAULT_WORDS));
      await close(e);
    },
  },
  tools: {
    about: 'N tool calls (1) with their arguments in fragments; words once a tool has answered',
    takes: 'N',
    play: callTools,
  },
  length: {
    about: 'finishes with `length` after N words (8)',
    takes: 'N',
    play: finishingWith('length', DEFAULT_WORDS),
  },
  content_filter: {
    about: 'finishes with `content_filter` after N words (0)',
    takes: 'N',
    play: finishingWith('content_filter', 0),
  },
  'debug-first-chunk': {
    about: 'a first chunk with `choices: []` and a `debug` field',
    play: async (e) => {
      e.open();
      await e.frame({ choices: [], debug: { echo_upstream_body: { model: e.request.model } } });
      await tell(e, countedText(DEFAULT_WORDS));
      await close(e);
    },
  },
  'role-first': {
    about: 'a first chunk with the role and no text',
    play: async (e) => {
      e.open();
      await e.chunk({ delta: { role: 'assistant', content: '' } });
      await tell(e, countedText(DEFAULT_WORDS));
      await close(e);
    },
  },
};
