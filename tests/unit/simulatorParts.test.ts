import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { billOf, newTally } from '../../src/services/llm/simulator/books.ts';
import { defaultSettings, toUsdString } from '../../src/services/llm/simulator/catalogue.ts';
import { findContinuation } from '../../src/services/llm/simulator/continuation.ts';
import { listModes } from '../../src/services/llm/simulator/index.ts';
import { logNormal, seededRandom } from '../../src/services/llm/simulator/random.ts';
import type { SimulatedRequest } from '../../src/services/llm/simulator/request.ts';
import { DEFAULT_LATENCY, modelledPace, readDuration } from '../../src/services/llm/simulator/timing.ts';

const many = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * share)]!;

describe('docs/simulator.md', () => {
  const text = readFileSync(new URL('../../docs/simulator.md', import.meta.url), 'utf8').replace(/ +/g, ' ');

  test('every mode, looked up, stands there with its line, and no other does', () => {
    const rows = listModes().map(({ syntax, about }) => `| \`${syntax}\` | ${about} |`);
    expect(rows.filter((row) => !text.includes(row))).toEqual([]);
    const section = /<!-- modes -->([^]*)<!-- \/modes -->/.exec(text)![1]!;
    expect(section.match(/^\| `/gm)).toHaveLength(rows.length);
  });
});

describe('random numbers', () => {
  test('drawn, depend on the seed and the text and nothing else', () => {
    const draw = (seed: number, text: string) => many(5, () => 0).map(seededRandom(seed, text));
    expect(draw(1, 'a')).toEqual(draw(1, 'a'));
    expect(draw(1, 'a')).not.toEqual(draw(2, 'a'));
    expect(draw(1, 'a')).not.toEqual(draw(1, 'b'));
  });

  test('drawn from many seeds, are spread evenly', () => {
    const values = many(2000, (index) => seededRandom(1, `call ${String(index)}`)());
    for (const share of [0.1, 0.5, 0.9]) expect(Math.abs(quantile(values, share) - share)).toBeLessThan(0.05);
  });

  test('log-normal ones, drawn, have the median and the 95th percentile that were asked for', () => {
    const random = seededRandom(1, 'latency');
    const values = many(5000, () => logNormal(random, 400, 1600));
    expect(quantile(values, 0.5)).toBeGreaterThan(370);
    expect(quantile(values, 0.5)).toBeLessThan(430);
    expect(quantile(values, 0.95)).toBeGreaterThan(1400);
    expect(quantile(values, 0.95)).toBeLessThan(1850);
  });
});

describe('the pace of a model', () => {
  const pace = (latency: object, scale = 1) =>
    modelledPace({ ...DEFAULT_LATENCY, ...latency }, seededRandom(1, 'x'), scale);

  test('of 50 tokens a second in chunks of 5, scaled by a tenth, waits 10 ms after each', () => {
    const slow = pace({ tokensPerSecond: 50, tokensPerChunk: 5 }, 0.1);
    expect([slow.wordsPerChunk, slow.nextDelayMs()]).toEqual([5, 10]);
  });

  test('with jitter, varies within it', () => {
    const nervous = pace({ tokensPerSecond: 100, jitter: 0.5 });
    const delays = many(200, () => nervous.nextDelayMs());
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(5);
    expect(Math.max(...delays)).toBeLessThanOrEqual(15);
    expect(new Set(delays).size).toBeGreaterThan(100);
  });

  test('with a spike, multiplies the first token’s time', () => {
    const steady = { ttftP50Ms: 100, ttftP95Ms: 100 };
    expect(pace(steady).firstTokenMs).toBeCloseTo(100);
    expect(pace({ ...steady, spikeRate: 1, spikeFactor: 7 }).firstTokenMs).toBeCloseTo(700);
  });
});

test.each<[string, number | null]>([
  ['250', 250],
  ['250ms', 250],
  ['2.5s', 2500],
  ['5m', 300_000],
  ['1h', 3_600_000],
  ['', null],
  ['soon', null],
  ['-1', null],
])('the duration %p is %p ms', (text, ms) => expect(readDuration(text)).toBe(ms));

test.each<[number, string]>([
  [0, '0'],
  [2, '0.000002'],
  [0.15, '0.00000015'],
  [1_000_000, '1'],
])('%p millionths of a dollar are written %p', (micro, text) => expect(toUsdString(micro)).toBe(text));

describe('a request to go on', () => {
  const messages = (partial: string, instruction: string) => [
    { role: 'user', content: 'Q' },
    { role: 'assistant', content: partial },
    { role: 'user', content: instruction },
  ];

  test.each<[string, string, string | null]>([
    ['the quick brown fox jumps', 'After “brown fox jumps” go on', 'brown fox jumps'],
    ['short', 'After "short" go on', 'short'],
    ['the quick brown fox jumps', 'Now about jumps', null],
    ['', 'Go on', null],
    ['👩‍👩‍👧‍👦 naïve 世界', 'repeat: 👩‍👩‍👧‍👦 naïve 世界', '👩‍👩‍👧‍👦 naïve 世界'],
  ])('after %j, told %j, has the anchor %j', (partial, instruction, anchor) => {
    expect(findContinuation(messages(partial, instruction))?.anchor ?? null).toBe(anchor);
  });
});

describe('a bill', () => {
  const request = { promptTokens: 10, stream: true } as SimulatedRequest;
  const settings = defaultSettings('sim/x');
  const tally = { ...newTally(), text: 'x'.repeat(8), planned: 'x'.repeat(40) };

  interface Change {
    readonly tally?: object;
    readonly settings?: object;
    readonly request?: object;
  }
  test.each<[string, Change, boolean, number]>([
    ['finished', { tally: { finishReason: 'stop' } }, false, 24],
    ['left by the client', {}, true, 24],
    ['left where the provider cannot stop', { settings: { billsOnlySent: false } }, true, 40],
    ['left without a stream', { request: { stream: false } }, true, 40],
    ['failed', { tally: { isFailed: true } }, false, 0],
    ['finished with an error', { tally: { finishReason: 'error' } }, false, 0],
    ['left before a word', { tally: { text: '' } }, true, 0],
    ['finished without a word', { tally: { text: '', finishReason: 'content_filter' } }, false, 20],
  ])('of a call that was %s is right', (_what, change, isAborted, cost) => {
    const billed = {
      request: { ...request, ...change.request },
      settings: { ...settings, ...change.settings },
      tally: { ...tally, ...change.tally },
    };
    expect(billOf(billed, isAborted).costMicroUsd).toBe(cost);
  });
});
