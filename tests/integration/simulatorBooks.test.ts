import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import { createSimulator, type Simulator } from '../../src/services/llm/simulator/index.ts';
import { countedText } from '../../src/services/llm/simulator/text.ts';
import { ask, control, lookUp, type Question } from '../support/simulatorClient.ts';

let simulator: Simulator;
beforeEach(async () => {
  simulator = await createSimulator({ tokenDelayMs: 0, hasControl: true });
});
afterEach(() => simulator.close());

const last = <T>(list: readonly T[]): T => list.at(-1)!;
/** Asks, waits for the books to be closed, and reads the call there. */
const generationOf = async (model: string, question: Question = {}) => {
  const answered = await ask(simulator, model, question);
  await simulator.idle();
  const { body } = await lookUp(simulator, `/generation?id=${last(simulator.log).generationId}`);
  return { answered, generation: body.data };
};
const billed = (prompt: number, completion: number) => ({
  native_tokens_prompt: prompt,
  native_tokens_completion: completion,
  total_cost: ((prompt + completion) * 2) / 1e6,
});
const NOTHING = billed(0, 0);

describe('a call in /generation', () => {
  test.each([true, false])('that was answered (stream: %p) costs what its usage said', async (stream) => {
    const { answered, generation } = await generationOf('sim/words:3', { stream });
    expect(generation).toMatchObject({ ...billed(2, 5), finish_reason: 'stop', cancelled: false, streamed: stream });
    expect(answered.usage).toMatchObject({ prompt_tokens: 2, completion_tokens: 5, total_tokens: 7, cost: 0.000014 });
    expect(generation).toMatchObject({
      provider_name: 'Parley simulator',
      model: 'sim/words:3',
      latency: expect.any(Number),
    });
  });

  test.each<[string, object]>([
    ['usage-missing', { ...billed(2, 12), finish_reason: 'stop' }],
    ['reasoning', { ...billed(2, 16), native_tokens_reasoning: 4 }],
    ['ok-cached:1', { ...billed(2, 12), native_tokens_cached: 1 }],
    ['cut-after:3', { ...billed(2, 5), finish_reason: null, cancelled: false }],
    ['reset-after:3', { ...billed(2, 5), finish_reason: null, cancelled: false }],
    ['fin-mid-chunk:3', { ...billed(2, 5), finish_reason: null, cancelled: false }],
    ['content_filter', { ...billed(2, 0), finish_reason: 'content_filter' }],
    ['err-mid:3', { ...NOTHING, finish_reason: 'error' }],
    ['event-error:3', NOTHING],
    ['err-first-event', NOTHING],
    ['empty-stream', NOTHING],
    ['blank-200', NOTHING],
    ['500', NOTHING],
    ['429-upstream', NOTHING],
    ['reset-before-headers', NOTHING],
  ])('of mode %s is billed as %j', async (mode, expected) => {
    expect((await generationOf(`sim/${mode}`)).generation).toMatchObject(expected);
  });

  test('that the client left is billed as far as it came', async () => {
    const { generation } = await generationOf('sim/stall-mid:3', { patienceMs: 1000 });
    expect(generation).toMatchObject({ ...billed(2, 5), finish_reason: null, cancelled: true });
    expect(last(simulator.log)).toMatchObject({
      ending: 'aborted',
      abortedAt: expect.any(Number),
      bill: { costMicroUsd: 14 },
    });
  });

  test('that the client left before its first word costs nothing', async () => {
    const { generation } = await generationOf('sim/stall-first-token', { patienceMs: 500 });
    expect(generation).toMatchObject({ ...NOTHING, cancelled: true });
  });

  test('that the client left is billed whole where the provider cannot stop, and without a stream', async () => {
    simulator.config({
      models: { 'a/stubborn': { billsOnlySent: false, promptMicroUsd: 2, completionMicroUsd: 2 } },
      modes: { 'a/stubborn': 'words:50', 'sim/plain': 'words:50' },
      latency: { tokensPerSecond: 25 },
    });
    const whole = billed(2, Math.ceil(countedText(50).length / 4));
    expect((await generationOf('a/stubborn', { leaveAfterBytes: 1 })).generation).toMatchObject({
      ...whole,
      cancelled: true,
    });
    const plain = await generationOf('sim/plain', { stream: false, patienceMs: 700 });
    expect(plain.generation).toMatchObject({ ...whole, cancelled: true });
    const partly = await generationOf('sim/words:50', { leaveAfterBytes: 1 });
    expect(partly.generation.native_tokens_completion).toBeLessThan(whole.native_tokens_completion);
    expect(partly.generation.native_tokens_completion).toBeGreaterThan(0);
  });

  test('is there after its delay, not before, and an unknown one never', async () => {
    simulator.config({ generationDelayMs: 1000 });
    const { generation } = await generationOf('sim/words:1');
    expect(generation).toBeUndefined();
    simulator.advance(1000);
    const { generationId } = last(simulator.log);
    expect((await lookUp(simulator, `/generation?id=${generationId}`)).status).toBe(200);
    expect((await lookUp(simulator, '/generation?id=gen-1')).status).toBe(404);
    expect((await lookUp(simulator, `/generation?id=${generationId}`, null)).status).toBe(401);
  });
});

test('the books of many calls, some of which fail, add up to their generations', async () => {
  simulator.config({
    mix: { p500: 0.1, 'perr-mid:3': 0.1, 'pcut-after:3': 0.1, 'preset-after:2': 0.1, 'pusage-missing': 0.1 },
    models: { 'a/cheap': { promptMicroUsd: 0.1, completionMicroUsd: 0.4 } },
  });
  const models = ['sim/words:7', 'a/cheap', 'sim/reasoning'];
  const calls = Array.from({ length: 120 }, (_, index) => models[index % 3]!);
  await Promise.all(calls.map((model, index) => ask(simulator, model, index % 8 === 0 ? { leaveAfterBytes: 1 } : {})));
  await simulator.idle();
  const { total, models: books } = simulator.books();
  const bills = simulator.log.map(({ generationId }) => simulator.generation(generationId)!);
  const sum = (pick: (bill: (typeof bills)[number]) => number): number => bills.map(pick).reduce((a, b) => a + b, 0);
  expect(total).toMatchObject({
    calls: 120,
    promptTokens: sum((bill) => bill.promptTokens),
    completionTokens: sum((bill) => bill.completionTokens),
    reasoningTokens: sum((bill) => bill.reasoningTokens),
    costMicroUsd: sum((bill) => bill.costMicroUsd),
  });
  expect(total.completed + total.failed + total.broken + total.aborted).toBe(120);
  expect(Math.min(total.completed, total.failed, total.broken)).toBeGreaterThan(0);
  expect(Object.keys(books)).toEqual(models);
  expect(bills.every(({ costMicroUsd }) => Number.isInteger(costMicroUsd))).toBe(true);
});

describe('the log', () => {
  test('of a call has what was asked, how often, over which connection and what came of it', async () => {
    const tools = [{ type: 'function', function: { name: 'f' } }];
    const question = {
      messages: [
        { role: 'system', content: 'Be kind' },
        { role: 'user', content: 'Hello' },
      ],
      body: { tools, max_tokens: 9, response_format: { type: 'json_object' } },
      headers: { 'X-Title': 'Parley' },
    };
    await ask(simulator, 'sim/words:1', question);
    await ask(simulator, 'sim/words:1', { ...question, stream: false });
    await simulator.idle();
    expect(simulator.log).toMatchObject([
      { attempt: 1, stream: true, lastRole: 'user', promptTokens: 4, maxTokens: 9, status: 200, abortedAt: null },
      { attempt: 2, stream: false, ending: 'completed', bill: { promptTokens: 4, completionTokens: 2 } },
    ]);
    const [first] = simulator.log;
    expect(first).toMatchObject({
      fields: { tools, response_format: { type: 'json_object' } },
      headers: { 'x-title': 'Parley' },
    });
    expect(first!.headers).not.toHaveProperty('authorization');
    expect(first!.bytesSent).toBeGreaterThan(500);
    expect(first!.firstTokenAt).toBeGreaterThanOrEqual(first!.t);
  });

  test('keeps the newest calls, and the books all of them', async () => {
    const small = await createSimulator({ tokenDelayMs: 0, maxLogged: 2 });
    for (const words of [1, 2, 3]) await ask(small, `sim/words:${String(words)}`);
    await small.idle();
    expect(small.log.map(({ model }) => model)).toEqual(['sim/words:2', 'sim/words:3']);
    expect(small.books().total.calls).toBe(3);
    await small.close();
  });

  test('of a stalled call has its end when the client leaves', async () => {
    const arrived = simulator.nextAttempt();
    const enough = Promise.withResolvers<undefined>();
    const answered = ask(simulator, 'sim/stall-headers', { leaveWhen: enough.promise });
    const attempt = await arrived;
    expect(attempt).toMatchObject({ settledAt: null, ending: null, status: null });
    enough.resolve(undefined);
    await answered;
    await attempt.settled;
    expect(attempt).toMatchObject({ ending: 'aborted', firstTokenAt: null, bytesSent: 0 });
  });
});

describe('going on with a partial answer', () => {
  const partial = countedText(12);
  const goOn = (anchor: string) => [
    { role: 'user', content: 'Count' },
    { role: 'assistant', content: partial },
    { role: 'user', content: `Your answer was cut off. Repeat “${anchor}” exactly, then continue.` },
  ];
  const anchor = partial.slice(-40);

  test.each<[string, string]>([
    ['words:15', `${anchor} word13 word14 word15`],
    ['continue-no-anchor:15', ' word13 word14 word15'],
    ['continue-whitespace:15', `${anchor.replaceAll(' ', '\n\n  ')} word13 word14 word15`],
    ['noprefill:15', `${anchor} word13 word14 word15`],
    ['echo', `${anchor} Count`],
  ])('by instruction, mode %s answers %j', async (mode, text) => {
    expect(await ask(simulator, `sim/${mode}`, { messages: goOn(anchor) })).toMatchObject({
      text,
      finishReason: 'stop',
    });
  });

  test('by instruction, refuse-continue apologises', async () => {
    const { text } = await ask(simulator, 'sim/refuse-continue:15', { messages: goOn(anchor) });
    expect(text).toContain('sorry');
    expect(text).not.toContain('word');
  });

  test('whose end the instruction does not quote is an ordinary question', async () => {
    const { text } = await ask(simulator, 'sim/words:2', { messages: goOn('something else') });
    expect(text).toBe('word1 word2');
  });

  test('whose end the instruction quotes as JSON is gone on with', async () => {
    const messages = [
      { role: 'user', content: 'Count' },
      { role: 'assistant', content: 'one "two"\nthree' },
      { role: 'user', content: `Go on after ${JSON.stringify('one "two"\nthree')}.` },
    ];
    expect((await ask(simulator, 'sim/words:1', { messages })).text).toBe('one "two"\nthree word1');
  });

  test('by prefill sends the rest, and a noprefill model refuses', async () => {
    const messages = goOn(anchor).slice(0, 2);
    expect((await ask(simulator, 'sim/words:14', { messages })).text).toBe(' word13 word14');
    expect(await ask(simulator, 'sim/noprefill', { messages })).toMatchObject({
      status: 400,
      frames: [{ error: { message: expect.stringContaining('prefill') } }],
    });
  });
});

describe('the control plane', () => {
  test('changes modes, scripts and outages, moves the clock, and tells what happened', async () => {
    const config = { modes: { 'a/b': '500' }, outages: [{ model: 'a/c', forMs: 5000 }] };
    expect(await control(simulator, '/config', config)).toEqual({ status: 200, body: { ok: true } });
    await control(simulator, '/script', { model: 'a/d', modes: [429, 'words:1'] });
    const statuses = async () =>
      Promise.all(['a/b', 'a/c', 'a/d'].map(async (model) => (await ask(simulator, model)).status));
    expect(await statuses()).toEqual([500, 503, 429]);
    await control(simulator, '/config', { advanceMs: 5000 });
    expect(await statuses()).toEqual([500, 200, 200]);
    const { body } = await control(simulator, '/log?model=a/d');
    expect(body.attempts).toMatchObject([
      { model: 'a/d', attempt: 1, mode: '429', status: 429, messages: [{ role: 'user', content: 'Hi there' }] },
      { attempt: 2, mode: 'words:1', bill: { completionTokens: 2 } },
    ]);
    expect((await control(simulator, '/books')).body.total).toEqual(simulator.books().total);
    expect((await control(simulator, '/modes')).body.modes[0]).toMatchObject({ syntax: 'ok' });
    await control(simulator, '/reset', {});
    expect(simulator.log).toHaveLength(0);
    expect(simulator.books().total.calls).toBe(0);
    expect((await ask(simulator, 'a/b')).status).toBe(200);
  });

  test.each<[string, string, object, string]>([
    ['an unknown setting', '/config', { sped: 1 }, 'sped'],
    ['a wrong type', '/config', { seed: 'x' }, 'seed'],
    ['an unknown mode', '/config', { modes: { 'a/b': 'nonsense' } }, 'There is no mode nonsense'],
    ['an unknown mode of an outage', '/config', { outages: [{ model: 'a', forMs: 1, mode: 'nonsense' }] }, 'nonsense'],
    ['an unknown mode in a script', '/script', { model: 'a/b', modes: ['nonsense'] }, 'There is no mode nonsense'],
    ['a script without a model', '/script', { modes: [500] }, 'model'],
  ])('says what is wrong with %s, and changes nothing', async (_what, path, body, message) => {
    expect(await control(simulator, path, body)).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringContaining(message) } },
    });
    expect((await ask(simulator, 'a/b')).status).toBe(200);
  });

  test('is not there for a page in a browser, under another name, or when it was not wanted', async () => {
    const page = { Origin: 'https://example.com' };
    expect((await control(simulator, '/reset', {}, page)).status).toBe(404);
    const { hostname, port } = new URL(simulator.baseUrl);
    const renamed = http.get({ hostname, port, path: '/__sim/log', headers: { Host: 'rebound.example.com' } });
    const [answer] = (await once(renamed, 'response')) as [IncomingMessage];
    answer.resume();
    expect(answer.statusCode).toBe(404);
    const plain = await createSimulator({ tokenDelayMs: 0 });
    expect((await control(plain, '/log')).status).toBe(404);
    await plain.close();
  });
});
