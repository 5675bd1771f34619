import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type ProviderError } from '../../src/services/llm/provider.ts';
import type { AttemptRecord, LlmRouter, RoutedPart } from '../../src/services/llm/router.types.ts';
import { collect, startLlmEndpoint, type Collected, type LlmEndpoint } from '../support/llmEndpoint.ts';
import { waitFor } from '../support/waitFor.ts';

let endpoint: LlmEndpoint;
/** How far the router's clock is ahead of the endpoint's: a test that waits for minutes moves it. */
let aheadMs = 0;
beforeEach(async () => {
  endpoint = await startLlmEndpoint();
  aheadMs = 0;
});
afterEach(() => endpoint.close());

const clock = { now: () => Date.now() + aheadMs };
const messages = [{ role: 'user', content: 'a question' }] as const;
const never = new AbortController().signal;
const ask = (
  router: LlmRouter,
  { model = 'auto', onAttempt }: { model?: string; onAttempt?: (record: AttemptRecord) => void } = {},
): Promise<Collected<RoutedPart>> =>
  collect(router.stream({ model, chatId: 'chat', messages, ...(onAttempt ? { onAttempt } : {}) }, never));
const asked = (): string[] => endpoint.simulator.log.map(({ model }) => model);
const callsTo = (model: string): number => asked().filter((slug) => slug === model).length;
const repeat = async (times: number, run: () => Promise<unknown>): Promise<void> => {
  for (let count = 0; count < times; count += 1) await run();
};

describe('a rate limit', () => {
  test('of one model is kept to, and the others answer', async () => {
    const router = endpoint.router(['sim/429:60', 'sim/echo'], { clock });
    await repeat(6, async () => expect(await ask(router)).toMatchObject({ error: null }));
    expect(callsTo('sim/429:60')).toBe(1);
    expect(router.models()).toMatchObject([
      { state: 'cooling', share: 0 },
      { state: 'healthy', share: 1 },
    ]);
    aheadMs = 61_000;
    await repeat(2, () => ask(router));
    expect(callsTo('sim/429:60')).toBe(2);
  });

  test('of the only model is waited for when it is short, and told when it is not', async () => {
    endpoint.simulator.script('sim/echo', ['429:1']);
    const short = await ask(endpoint.router(['sim/echo']));
    expect(short).toMatchObject({ error: null, text: 'a question' });
    const [first, second] = endpoint.simulator.log;
    expect((second?.t ?? 0) - (first?.t ?? 0)).toBeGreaterThanOrEqual(950);

    const router = endpoint.router(['sim/429:30'], { clock });
    expect((await ask(router)).error).toMatchObject({ kind: 'rate_limited', retryAfterMs: 30_000 });
    const { error } = await ask(router);
    expect(error).toMatchObject({ kind: 'unavailable' });
    expect((error as ProviderError).retryAfterMs).toBeGreaterThan(29_000);
    expect(callsTo('sim/429:30')).toBe(1);
  });

  test('of the free pool costs one call, whichever of its models it was', async () => {
    endpoint.simulator.config({ modes: { 'x/one:free': '429-day', 'x/two:free': '429-day' } });
    const onlyFree = endpoint.router(['x/one:free', 'x/two:free'], { clock });
    expect((await ask(onlyFree)).error).toMatchObject({ kind: 'rate_limited', scope: 'free' });
    await repeat(3, async () => expect((await ask(onlyFree)).error).toMatchObject({ kind: 'unavailable' }));
    expect(asked()).toEqual(['x/one:free']);

    const mixed = endpoint.router(['x/one:free', 'x/two:free', 'sim/echo'], { clock });
    await repeat(4, async () => expect(await ask(mixed)).toMatchObject({ error: null }));
    expect(callsTo('x/one:free') + callsTo('x/two:free')).toBe(2);
  });
});

describe('a refused key', () => {
  test.each(['402', '401'])('(%s) costs one call in all, then one more when its time is over', async (mode) => {
    endpoint.simulator.config({ modes: { '*': mode } });
    const router = endpoint.router(['sim/a', 'sim/b', 'sim/c'], { clock });
    expect((await ask(router)).error).toMatchObject({ kind: 'account', scope: 'key' });
    await repeat(3, async () => {
      expect((await ask(router)).error).toMatchObject({ kind: 'unavailable', retryAfterMs: expect.any(Number) });
    });
    expect(asked()).toHaveLength(1);

    aheadMs = 31_000;
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask(router)));
    expect(answers.filter(({ error }) => (error as ProviderError).kind === 'account')).toHaveLength(1);
    expect(asked()).toHaveLength(2);

    aheadMs = 62_000;
    endpoint.simulator.config({ modes: { '*': 'echo' } });
    expect(await ask(router)).toMatchObject({ error: null });
    await repeat(3, async () => expect(await ask(router)).toMatchObject({ error: null }));
  });
});

describe('a model that failed', () => {
  const down = (): void => endpoint.simulator.config({ modes: { 'sim/a': '500', 'sim/b': 'echo' } });
  const open = async (): Promise<LlmRouter> => {
    down();
    const router = endpoint.router(['sim/a', 'sim/b'], { clock, random: () => 0.5 });
    while (router.models()[0]?.state !== 'open') expect(await ask(router)).toMatchObject({ error: null });
    return router;
  };

  test('three times in a row is not asked for five seconds, then once at a time', async () => {
    const router = await open();
    const calls = callsTo('sim/a');
    await repeat(5, () => ask(router));
    expect([calls, callsTo('sim/a')]).toEqual([3, 3]);
    expect(await endpoint.metrics.value('llm_breaker_changes_total', { model: 'sim/a', state: 'open' })).toBe(1);

    aheadMs = 5_001;
    endpoint.simulator.config({ modes: { 'sim/a': 'stall-first-token', 'sim/b': 'echo' } });
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(router)));
    expect(answers.every(({ error, text }) => error === null && text === 'a question')).toBe(true);
    expect(callsTo('sim/a')).toBe(4);
    expect(router.models()).toMatchObject([
      { state: 'half-open', next: false },
      { state: 'healthy', next: true },
    ]);
  });

  test('is asked as before once its probe has begun to answer, and the probe is ended', async () => {
    const router = await open();
    aheadMs = 5_001;
    endpoint.simulator.config({ modes: { 'sim/a': 'slow:20', 'sim/b': 'echo' } });
    const records: AttemptRecord[] = [];
    expect(await ask(router, { onAttempt: (record) => records.push(record) })).toMatchObject({ error: null });
    await waitFor(() => records.length === 2);
    expect(router.models()[0]?.state).toBe('degraded');
    expect(records.map(({ chosenBy }) => chosenBy).sort()).toEqual(['message', 'probe']);
    expect(records.every(({ outcome }) => outcome !== 'failed')).toBe(true);
  });

  test('ends the listening of its probe when the client leaves', async () => {
    const router = await open();
    aheadMs = 5_001;
    endpoint.simulator.config({ modes: { 'sim/a': 'stall-first-token', 'sim/b': 'stall-first-token' } });
    const controller = new AbortController();
    const arrived = endpoint.simulator.nextAttempt();
    const answer = collect(router.stream({ model: 'auto', chatId: 'c', messages }, controller.signal));
    await arrived;
    await waitFor(() => endpoint.simulator.log.filter(({ played }) => played?.startsWith('stall')).length === 2);
    const leaving = new Error('left');
    controller.abort(leaving);
    expect((await answer).error).toBe(leaving);
    const stalled = endpoint.simulator.log.filter(({ played }) => played?.startsWith('stall'));
    await Promise.all(stalled.map(({ settled }) => settled));
    expect(stalled.every(({ abortedAt }) => abortedAt !== null)).toBe(true);
    expect(router.models()).toMatchObject([{ state: 'open', failures: 3 }, { failures: 0 }]);
  });

  test('is asked all the same by who picks it, and its own failure told', async () => {
    const router = await open();
    const { error } = await ask(router, { model: 'sim/a' });
    expect(error).toMatchObject({ kind: 'unavailable' });
    expect((error as ProviderError).retryAfterMs).toBeGreaterThan(1_000);
    expect(callsTo('sim/a')).toBe(4);
  });
});

describe('what a request may choose from', () => {
  test('a list takes turns among its models, and fails over within it', async () => {
    const router = endpoint.router(['sim/500', 'sim/echo', 'sim/words:2']);
    expect(router.hasModel('sim/echo, sim/words:2')).toBe(true);
    expect(router.hasModel('sim/echo,sim/other')).toBe(false);
    expect(router.hasModel('sim/echo,')).toBe(false);
    await repeat(4, () => ask(router, { model: 'sim/echo, sim/words:2' }));
    expect(asked()).toEqual(['sim/echo', 'sim/words:2', 'sim/echo', 'sim/words:2']);
    expect(await ask(router, { model: 'sim/500,sim/echo' })).toMatchObject({ error: null });
    expect((await ask(router, { model: 'sim/500' })).error).not.toBeNull();
  });

  test('auto:fast asks each once, and then who was first with its text', async () => {
    const router = endpoint.router(['sim/slow-first-token:500ms', 'sim/echo']);
    await repeat(5, async () => expect(await ask(router, { model: 'auto:fast' })).toMatchObject({ error: null }));
    expect(asked()).toEqual(['sim/slow-first-token:500ms', 'sim/echo', 'sim/echo', 'sim/echo', 'sim/echo']);
  });

  test('auto:cheap asks who costs least, and the rotation where several do', async () => {
    const priced = (slug: string, promptPrice: number | null) => ({
      slug,
      weight: 1,
      offered: { slug, contextLength: null, promptPrice, completionPrice: promptPrice, parameters: [] },
    });
    const router = endpoint.router([
      priced('sim/echo', 9),
      priced('sim/words:1', 5),
      priced('sim/words:2', null),
      priced('sim/words:3', 5),
    ]);
    await repeat(4, () => ask(router, { model: 'auto:cheap' }));
    expect(asked()).toEqual(['sim/words:1', 'sim/words:3', 'sim/words:1', 'sim/words:3']);
    expect(endpoint.simulator.log).toHaveLength(4);
  });
});

describe('a model’s own window', () => {
  const sized = (slug: string, contextLength: number | null) => ({
    slug,
    weight: 1,
    offered: { slug, contextLength, promptPrice: null, completionPrice: null, parameters: [] },
  });

  test.each<[string, readonly (number | null)[], string[]]>([
    ['once, to a larger one', [8000, 8000, 32_000, 64_000], ['sim/a', 'sim/c']],
    ['never to one of the same size', [8000, 8000, 8000, 8000], ['sim/a']],
    ['never where sizes are not known', [null, null, null, null], ['sim/a']],
  ])('that is too small sends the request on %s', async (_what, sizes, models) => {
    endpoint.simulator.config({ modes: { '*': '400-context' } });
    const slugs = ['sim/a', 'sim/b', 'sim/c', 'sim/d'];
    const router = endpoint.router(slugs.map((slug, index) => sized(slug, sizes[index] ?? null)));
    expect((await ask(router)).error).toMatchObject({ kind: 'context_too_long' });
    expect(asked()).toEqual(models);
    expect(router.models().every(({ state }) => state === 'healthy')).toBe(true);
  });

  test('gets no more turns than it has room for', async () => {
    const router = endpoint.router([sized('sim/words:1', 300)], { maxTokens: 50 });
    const turns = Array.from({ length: 10 }, (_, index) => [
      { role: 'user', content: `question ${String(index)} ${'x'.repeat(100)}` },
      { role: 'assistant', content: `answer ${'y'.repeat(100)}` },
    ]).flat() as { role: 'user' | 'assistant'; content: string }[];
    const sent = [{ role: 'system', content: 'Obey' } as const, ...turns, { role: 'user', content: 'last' } as const];
    await collect(router.stream({ model: 'auto', chatId: 'c', messages: sent }, never));
    const [attempt] = endpoint.simulator.log;
    const contents = attempt?.messages.map(({ content }) => content.slice(0, 10));
    expect(contents).toEqual(['Obey', 'question 8', 'answer yyy', 'question 9', 'answer yyy', 'last']);
  });
});

test('a model takes so many calls at once, and who waits for too long is told when to come back', async () => {
  const router = endpoint.router(['sim/stall-first-token'], {
    settings: { concurrency: { maxRunning: 2, maxQueued: 1, maxWaitMs: 50 } },
  });
  const leave = new AbortController();
  const first = [1, 2].map(() => collect(router.stream({ model: 'auto', chatId: 'c', messages }, leave.signal)));
  await waitFor(() => asked().length === 2);
  const [waited, refused] = await Promise.all([ask(router), ask(router)]);
  for (const { error } of [waited, refused]) expect(error).toMatchObject({ kind: 'unavailable', retryAfterMs: 1000 });
  expect(await endpoint.metrics.value('llm_queue_wait_seconds', { model: 'sim/stall-first-token' })).toBeGreaterThan(0);
  leave.abort(new Error('left'));
  await Promise.all(first);
  expect(asked()).toHaveLength(2);
  expect(router.models()).toMatchObject([{ requests: 2, failures: 0, state: 'healthy' }]);
});

test('a place is given back however a call ends', async () => {
  const router = endpoint.router(['sim/a'], {
    settings: { concurrency: { maxRunning: 1, maxQueued: 0, maxWaitMs: 1 } },
  });
  const controller = new AbortController();
  endpoint.simulator.script('sim/a', ['cut-after:2', 'words:3', '400', 'stall-mid:2', 'words:9', 'echo']);
  expect((await ask(router)).error).toMatchObject({ kind: 'invalid' });
  expect((await ask(router)).error).toBeNull();
  expect((await ask(router)).error).toMatchObject({ kind: 'rejected' });
  const left = collect(router.stream({ model: 'auto', chatId: 'c', messages }, controller.signal), ({ type }) => {
    if (type === 'delta') controller.abort(new Error('left'));
  });
  expect((await left).error).toMatchObject({ message: 'left' });
  // Whoever stops reading gives it back as well.
  for await (const part of router.stream({ model: 'auto', chatId: 'c', messages }, never)) {
    if (part.type === 'delta') break;
  }
  expect((await ask(router)).error).toBeNull();
});
