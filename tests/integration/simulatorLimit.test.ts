import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createSimulator, type Simulator } from '../../src/services/llm/simulator/index.ts';
import { countedText, countTokens, newcomerText, UNICODE_TEXT } from '../../src/services/llm/simulator/text.ts';
import { ask, lookUp, type Question } from '../support/simulatorClient.ts';

let simulator: Simulator;
beforeAll(async () => {
  simulator = await createSimulator({ tokenDelayMs: 0, config: { scale: 0.01, timings: 'fast' } });
});
afterAll(() => simulator.close());

const NEWCOMER = newcomerText([{ role: 'user', content: 'Hi there' }]);
const EIGHT = countedText(8);
/** The first tokens of a text: four UTF-16 units each. */
const tokensOf = (text: string, count: number): string => text.slice(0, 4 * count);

/** Asks, waits for the books to be closed, and reads the call there. */
const askLimited = async (mode: string, maxTokens: number, question: Question = {}) => {
  const body = { max_tokens: maxTokens, ...question.body };
  const answered = await ask(simulator, `sim/${mode}`, { ...question, body });
  await simulator.idle();
  const { body: found } = await lookUp(simulator, `/generation?id=${simulator.log.at(-1)!.generationId}`);
  return { ...answered, generation: found.data };
};

/** Modes that come to their end, and the text that each has without a limit. */
const ENDING: readonly (readonly [mode: string, text: string])[] = [
  ['ok', NEWCOMER],
  ['slow:1', NEWCOMER],
  ['echo', 'Hi there'],
  ...(
    'words:8 slow-first-token:1ms ok-usage-old ok-usage-new ok-nostream ok-context:9 ok-cached debug-first-chunk role-first ' +
    'length:8 content_filter:8 no-done no-final-blank-line done-then-late-end:1ms coalesced stall-then-resume:1ms dup-finish ' +
    'noprefill:8 continue-no-anchor:8 continue-whitespace:8 refuse-continue:8'
  )
    .split(' ')
    .map((mode) => [mode, EIGHT] as const),
  ...'unicode crlf no-space multi-data-line event-name bom gzip surrogate-split'
    .split(' ')
    .map((mode) => [mode, UNICODE_TEXT] as const),
  ['comments', 'word1 word2'],
  ['repeat-loop', 'again '.repeat(200)],
];

describe('the longest answer', () => {
  test.each(ENDING)('of mode %s, one token less than its text, cuts it and is billed', async (mode, text) => {
    const most = countTokens(text) - 1;
    for (const stream of [true, false]) {
      const { text: said, finishReason, usage, generation } = await askLimited(mode, most, { stream });
      expect([said, finishReason, usage.completion_tokens]).toEqual([tokensOf(text, most), 'length', most]);
      expect(generation).toMatchObject({ native_tokens_completion: most, finish_reason: 'length' });
      expect(simulator.log.at(-1)).toMatchObject({ ending: 'completed', bill: { completionTokens: most } });
    }
  });

  test.each(ENDING)('of mode %s, as long as its text, changes nothing', async (mode, text) => {
    const most = countTokens(text);
    for (const stream of [true, false]) {
      const free = await ask(simulator, `sim/${mode}`, { stream });
      const { text: said, finishReason, usage } = await askLimited(mode, most, { stream });
      expect([said, finishReason, usage]).toEqual([text, free.finishReason, free.usage]);
    }
  });

  test.each([
    ['max_completion_tokens', { max_tokens: undefined, max_completion_tokens: 8 }],
    ['max_completion_tokens beside a null', { max_tokens: null, max_completion_tokens: 8 }],
    ['max_tokens beside the other', { max_completion_tokens: 900 }],
  ])('may be called %s', async (_name, body) => {
    for (const stream of [true, false])
      expect(await askLimited('ok', 8, { stream, body })).toMatchObject({
        text: tokensOf(NEWCOMER, 8),
        finishReason: 'length',
        usage: { completion_tokens: 8 },
      });
  });

  test('in chunks of several words is as long as in chunks of one', async () => {
    simulator.config({ latency: { tokensPerSecond: 1e6, tokensPerChunk: 3 } });
    const { text, usage } = await askLimited('words:8', 7);
    simulator.config({ latency: null });
    expect([text, usage.completion_tokens]).toEqual([tokensOf(EIGHT, 7), 7]);
  });

  test('has room for thoughts before the text, and is the request’s doing where they take all of it', async () => {
    for (const stream of [true, false]) {
      const some = await askLimited('reasoning', 6, { stream });
      expect([some.text, some.finishReason, some.usage.completion_tokens]).toEqual([tokensOf(EIGHT, 2), 'length', 6]);
      expect(some.usage.completion_tokens_details).toEqual({ reasoning_tokens: 4 });
      const none = await askLimited('reasoning', 3, { stream });
      expect([none.text, none.finishReason, none.usage.completion_tokens]).toEqual(['', 'length', 3]);
      expect(none.usage.completion_tokens_details).toEqual({ reasoning_tokens: 3 });
    }
  });

  test('cuts the arguments of a tool, and no further tool is called', async () => {
    const { frames, finishReason, usage } = await askLimited('tools:2', 5, { stream: false });
    const [call, ...others] = frames[0].choices[0].message.tool_calls;
    expect([call.function.arguments, others]).toEqual([tokensOf('{"city":"Zürich","unit":', 5), []]);
    expect([finishReason, usage.completion_tokens]).toEqual(['length', 5]);
  });

  test.each(['unicode', 'surrogate-split', 'utf8-split'])('of mode %s never cuts a character in two', async (mode) => {
    for (let most = 1; most < countTokens(UNICODE_TEXT); most += 1) {
      const { text, usage } = await askLimited(mode, most);
      expect([text.isWellFormed(), UNICODE_TEXT.startsWith(text), usage.completion_tokens]).toEqual([true, true, most]);
    }
  });

  test.each([true, false])('is all that a provider that cannot stop bills (stream: %p)', async (stream) => {
    simulator.config({ models: { 'sim/stall-mid:8': { billsOnlySent: false } } });
    const { generation } = await askLimited('stall-mid:8', 5, { stream, patienceMs: 300 });
    expect(generation).toMatchObject({ native_tokens_completion: 5, finish_reason: null, cancelled: true });
  });

  test('leaves a mode its fault, after the words that there is room for', async () => {
    const { text, finishReason, broken } = await askLimited('err-mid:8', 3);
    expect([text, finishReason, broken]).toEqual([tokensOf(EIGHT, 3), 'error', null]);
    expect(await askLimited('reset-after:8', 3)).toMatchObject({ text: tokensOf(EIGHT, 3), broken: 'ECONNRESET' });
    expect(await askLimited('cut-after:8', 3)).toMatchObject({ text: tokensOf(EIGHT, 3), finishReason: null });
    expect(await askLimited('cut-after:8', 300)).toMatchObject({ text: EIGHT, finishReason: null });
  });

  test('is nothing to a mode whose length is what it is for', async () => {
    const { text, finishReason } = await askLimited('huge-chunk:1', 8);
    expect([text.length, finishReason]).toEqual([1024 * 1024, 'stop']);
  });
});
