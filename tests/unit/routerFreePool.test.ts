import { describe, expect, test } from '@jest/globals';
import { ROUTER_SETTINGS } from '../../src/services/llm/settings.ts';
import { createVirtualLlm, type Behaviour, type VirtualLlm } from '../support/virtualLlm.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
/** A minute, and the second by which a token is late. */
const RETURN = 61 * SECOND;
const QUICK: Behaviour = { kind: 'answers', afterMs: 50 };
const FAILS: Behaviour = { kind: 'fails', afterMs: 0 };
const [A, B, C, PAID] = ['x/a:free', 'x/b:free', 'x/c:free', 'x/paid'] as const;

interface Options {
  readonly perMinute: number;
  readonly behave?: (model: string, now: number) => Behaviour;
  readonly places?: number;
}

/** The `:free` ones are ten times as heavy, so that they are asked as long as they may be. */
const start = (slugs: readonly string[], { perMinute, behave = () => QUICK, places = 100 }: Options): VirtualLlm =>
  createVirtualLlm(behave, {
    models: slugs.map((slug) => ({ slug, weight: slug === PAID ? 1 : 10 })),
    settings: {
      freePool: { ...ROUTER_SETTINGS.freePool, perMinute },
      concurrency: { ...ROUTER_SETTINGS.concurrency, maxRunning: places, maxQueued: 0 },
    },
  });

const callsOf = ({ calls }: VirtualLlm): string[] => calls.map(({ model }) => model);
const freeCalls = ({ calls }: VirtualLlm) => calls.filter(({ model }) => model !== PAID);
const answers = ({ served }: VirtualLlm) => served.map(({ model }) => model);

describe('calls of :free models', () => {
  test('of a burst are as many as may be, and the others go to the paid one at once', async () => {
    const llm = start([A, B, PAID], { perMinute: 20 });
    for (let count = 0; count < 40; count += 1) llm.send();
    await llm.pass(SECOND);
    expect(freeCalls(llm)).toHaveLength(20);
    expect([llm.calls.length, llm.served.length]).toEqual([40, 40]);
    expect(llm.served.every(({ model, waitedMs }) => model !== null && waitedMs <= 100)).toBe(true);
  });

  test('are never more in any minute, however long it goes on', async () => {
    const llm = start([A, B, PAID], { perMinute: 20 });
    for (let count = 0; count < 600; count += 1) {
      llm.send();
      await llm.pass(SECOND / 2);
    }
    const times = freeCalls(llm).map(({ at }) => at);
    const inMinuteFrom = (from: number): number => times.filter((at) => at >= from && at <= from + MINUTE).length;
    expect(Math.max(...times.map(inMinuteFrom))).toBe(20);
    // What may be called is: five minutes of twenty each, a second lost in each.
    expect(times.length).toBeGreaterThanOrEqual(95);
    expect(answers(llm)).not.toContain(null);
  });

  test('count when they are retries', async () => {
    const llm = start([A, B, C, PAID], {
      perMinute: 3,
      behave: (model) => (model === A || model === B ? FAILS : QUICK),
    });
    llm.send();
    await llm.pass(SECOND);
    expect(callsOf(llm)).toEqual([A, B, C]);
    llm.send();
    await llm.pass(SECOND);
    expect(callsOf(llm)).toEqual([A, B, C, PAID]);
  });

  test('count when the same model is asked once more', async () => {
    const llm = start([A], { perMinute: 2, behave: () => FAILS });
    llm.send();
    await llm.pass(SECOND);
    expect(callsOf(llm)).toEqual([A, A]);
    llm.send();
    await llm.pass(SECOND);
    expect(callsOf(llm)).toEqual([A, A]);
    expect(llm.errors.at(-1)).toMatchObject({ kind: 'unavailable', retryAfterMs: expect.any(Number) });
  });

  test('are no retries where no call is left, and what failed is told', async () => {
    const llm = start([A, B], { perMinute: 1, behave: () => ({ kind: 'breaks', afterMs: 0 }) });
    llm.send('auto', { isWhole: true });
    await llm.pass(SECOND);
    expect(callsOf(llm)).toEqual([A]);
    expect(llm.errors.at(-1)).toMatchObject({ kind: 'invalid' });
  });

  /** Model A has failed three times and is open; five seconds later it wants a probe. */
  const withProbeDue = async (perMinute: number): Promise<VirtualLlm> => {
    const sickUntil = 1_000_000 + 3 * SECOND;
    const llm = start([A, B], { perMinute, behave: (model, now) => (model === A && now < sickUntil ? FAILS : QUICK) });
    for (let count = 0; count < 2; count += 1) {
      llm.send(A);
      await llm.pass(SECOND);
    }
    await llm.pass(10 * SECOND);
    expect([callsOf(llm), llm.router.models()[0]]).toMatchObject([[A, A, A], { id: A, state: 'open' }]);
    return llm;
  };

  test('count when they are probes', async () => {
    const llm = await withProbeDue(5);
    llm.send();
    await llm.pass(SECOND);
    expect(callsOf(llm).slice(3).sort()).toEqual([A, B]);
    llm.send();
    await llm.pass(SECOND);
    expect([llm.calls.length, llm.errors.at(-1)]).toMatchObject([5, { kind: 'unavailable' }]);
  });

  test('are not probes when there is one left for whoever asks', async () => {
    const llm = await withProbeDue(4);
    llm.send();
    await llm.pass(SECOND);
    expect([callsOf(llm).slice(3), answers(llm).at(-1)]).toEqual([[B], B]);
  });

  test('do not count when they never go out', async () => {
    const llm = start([A], { perMinute: 2, places: 1, behave: () => ({ kind: 'answers', afterMs: SECOND }) });
    llm.send();
    llm.send();
    await llm.pass(2 * SECOND);
    // The second found no place at the model.
    expect(answers(llm)).toEqual([null, A]);
    llm.send();
    await llm.pass(2 * SECOND);
    expect([callsOf(llm), answers(llm).at(-1)]).toEqual([[A, A], A]);
  });

  test('are without a limit at 0', async () => {
    const llm = start([A, B, PAID], { perMinute: 0 });
    for (let count = 0; count < 60; count += 1) llm.send(`${A},${B}`);
    await llm.pass(SECOND);
    expect(freeCalls(llm)).toHaveLength(60);
    expect(answers(llm)).not.toContain(null);
  });
});

describe('where only :free models are wanted', () => {
  /** One call a second, from now on, until all tokens are spent. */
  const spend = async (llm: VirtualLlm, tokens: number): Promise<void> => {
    for (let count = 0; count < tokens; count += 1) {
      llm.send();
      await llm.pass(SECOND);
    }
    expect(llm.calls).toHaveLength(tokens);
  };

  test.each([`${A},${B}`, A, 'auto'])('(%s) a request waits for a call to be left, 10 s at most', async (model) => {
    const llm = start([A, B], { perMinute: 1 });
    await spend(llm, 1);
    await llm.pass(RETURN - 12 * SECOND);
    llm.send(model);
    await llm.pass(SECOND);
    expect(llm.served.at(-1)).toMatchObject({ model: null, waitedMs: 0 });
    expect(llm.errors.at(-1)).toMatchObject({ kind: 'unavailable', retryAfterMs: 11 * SECOND });
    llm.send(model);
    await llm.pass(9 * SECOND);
    expect(llm.calls).toHaveLength(1);
    await llm.pass(2 * SECOND);
    expect(answers(llm).at(-1)).toMatch(/:free$/);
    expect(llm.calls[1]!.at - llm.calls[0]!.at).toBe(RETURN);
  });

  test('who came first has the first one, and who would wait too long is told so at once', async () => {
    const llm = start([A, B], { perMinute: 3 });
    await spend(llm, 3);
    await llm.pass(RETURN - 4 * SECOND);
    for (let count = 0; count < 5; count += 1) llm.send();
    await llm.pass(0);
    expect(llm.errors.slice(3)).toMatchObject([
      { kind: 'unavailable', retryAfterMs: RETURN },
      { kind: 'unavailable', retryAfterMs: RETURN },
    ]);
    await llm.pass(4 * SECOND);
    expect(llm.served.slice(5).map(({ waitedMs }) => Math.floor(waitedMs / SECOND))).toEqual([1, 2, 3]);
  });

  test('who leaves gives up its place, and makes no call', async () => {
    const llm = start([A], { perMinute: 1 });
    await spend(llm, 1);
    await llm.pass(RETURN - 6 * SECOND);
    const client = new AbortController();
    llm.send('auto', { signal: client.signal });
    await llm.pass(SECOND);
    client.abort(new Error('gone'));
    await llm.pass(SECOND);
    expect(llm.errors.at(-1)).toMatchObject({ message: 'gone' });
    llm.send();
    await llm.pass(10 * SECOND);
    expect([answers(llm).at(-1), llm.calls.length]).toEqual([A, 2]);
  });

  test('a retry waits too, and the whole request no longer than that', async () => {
    const llm = start([A, B], { perMinute: 1, behave: (model) => (model === A ? FAILS : QUICK) });
    llm.send(B);
    await llm.pass(RETURN - 5 * SECOND);
    llm.send(`${A},${B}`);
    await llm.pass(6 * SECOND);
    // Its own call has spent the only token: the next is a minute away.
    expect([callsOf(llm), llm.errors.at(-1)]).toMatchObject([[B, A], { kind: 'unavailable' }]);
  });

  test('a retry has the call that is left in time', async () => {
    const llm = start([A, B], { perMinute: 2, behave: (model) => (model === A ? FAILS : QUICK) });
    await spend(llm, 0);
    llm.send(B);
    await llm.pass(RETURN - 5 * SECOND);
    llm.send(`${A},${B}`);
    await llm.pass(6 * SECOND);
    expect([callsOf(llm), answers(llm)]).toEqual([
      [B, A, B],
      [B, B],
    ]);
    expect(llm.served.at(-1)!.waitedMs).toBeGreaterThanOrEqual(4 * SECOND);
  });
});

test('models() shows who waits for the pool, until when, and that others are next', async () => {
  const llm = start([A, B, PAID], { perMinute: 1 });
  llm.send(A);
  await llm.pass(SECOND);
  const until = new Date(llm.calls[0]!.at + RETURN);
  expect(llm.router.models()).toMatchObject([
    { id: A, state: 'cooling', cooldownUntil: until, share: 0, next: false },
    { id: B, state: 'cooling', cooldownUntil: until, share: 0, next: false },
    { id: PAID, state: 'healthy', cooldownUntil: null, share: 1, next: true },
  ]);
  await llm.pass(RETURN);
  expect(llm.router.models().map(({ state }) => state)).toEqual(['healthy', 'healthy', 'healthy']);
});
