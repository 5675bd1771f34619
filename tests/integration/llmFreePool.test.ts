import { describe, expect, test } from '@jest/globals';
import { createSimulator } from '../../src/services/llm/simulator/index.ts';
import { startWorld, type Answer, type TestUser } from '../support/world.ts';

const LONG = 60_000;
const SECOND = 1000;
const [A, B, PAID] = ['x/a:free', 'x/b:free', 'x/paid'] as const;
const FREE = [A, B];
const ALL = [A, B, PAID];
const BURST = 40;

/**
 * A node and its simulator, which counts the calls of all `:free` models as OpenRouter does, 20 a minute and no more; time
 * passes for both when the test says. The `:free` models are ten times as heavy: who may ask them does.
 */
const start = async (models: readonly string[], perMinute: number) => {
  let passedMs = 0;
  const modes = Object.fromEntries(models.map((model) => [model, model === PAID ? 'words:8' : 'free-pool']));
  const config = { modes, freePool: { perMinute: 20, perDay: 1000 } };
  const upstream = await createSimulator({ tokenDelayMs: 0, models, maxLogged: 1000, config });
  const weighted = models.map((model) => (model === PAID ? model : `${model}=10`)).join();
  const env = { OPENROUTER_MODELS: weighted, ROUTER_FREE_RPM: String(perMinute), ACCESS_TOKEN_TTL: '1h' };
  const world = await startWorld({ models, upstream, env, clock: { now: () => Date.now() + passedMs } });
  const user = await world.signUp();
  return {
    user,
    upstream,
    pass: (ms: number): void => {
      passedMs += ms;
      upstream.advance(ms);
    },
    freeCalls: () => upstream.log.filter(({ model }) => model !== PAID).length,
    refusals: () => upstream.log.filter(({ status }) => status === 429).length,
    stop: async () => {
      await world.stop();
      await upstream.close();
    },
  };
};

const complete = (user: TestUser, model: string, stream = false): Promise<Answer> =>
  user.call('POST', '/v1/chat/completions', { model, stream, messages: [{ role: 'user', content: 'hello' }] });
/** So many at once, every second one as a stream. */
const burst = async (user: TestUser, model: string): Promise<void> => {
  const answers = await Promise.all(
    Array.from({ length: BURST }, (_, index) => complete(user, model, index % 2 === 0)),
  );
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
};

describe('a burst of requests at /v1 over two :free models and a paid one', () => {
  test(
    'meets no 429, minute after minute: what is too much for the pool is the paid one’s',
    async () => {
      const { user, pass, freeCalls, refusals, stop } = await start(ALL, 20);
      try {
        for (let minute = 1; minute <= 3; minute += 1) {
          await burst(user, 'auto');
          expect([freeCalls(), refusals()]).toEqual([20 * minute, 0]);
          pass(61 * SECOND);
        }
      } finally {
        await stop();
      }
    },
    LONG,
  );

  test(
    'would, without the limit',
    async () => {
      const { user, refusals, stop } = await start(ALL, 0);
      try {
        await burst(user, 'auto');
        expect(refusals()).toBeGreaterThan(0);
      } finally {
        await stop();
      }
    },
    LONG,
  );
});

describe('where there are :free models alone', () => {
  test('a request that would wait too long is refused, with the time to come back, and nobody is asked', async () => {
    const { user, pass, freeCalls, stop } = await start(FREE, 2);
    try {
      await complete(user, 'auto');
      pass(20 * SECOND);
      await complete(user, 'auto');
      pass(10 * SECOND);
      for (const isStream of [true, false]) {
        const { status, headers, body } = await complete(user, 'auto', isStream);
        expect([status, body.error.code]).toEqual([503, 'overloaded']);
        expect(Number(headers.get('retry-after'))).toBeGreaterThan(10);
        expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(31);
        expect(headers.get('x-router-attempts')).toBeNull();
      }
      const native = await user.call('POST', '/api/chat/message', { content: 'hello', stream: false });
      expect(native).toMatchObject({ status: 503, body: { code: 'LLM_UNAVAILABLE' } });
      expect(native.body.retryAfterMs).toBeGreaterThan(10 * SECOND);
      expect(native.body.retryAfterMs).toBeLessThanOrEqual(31 * SECOND);
      expect(freeCalls()).toBe(2);
    } finally {
      await stop();
    }
  });

  test('a request waits for the next call that is left', async () => {
    const { user, pass, freeCalls, stop } = await start(FREE, 1);
    try {
      await complete(user, 'auto');
      pass(59 * SECOND);
      const startedAt = Date.now();
      const { status, body } = await complete(user, 'auto');
      expect([status, body.choices[0].finish_reason, freeCalls()]).toEqual([200, 'stop', 2]);
      expect(Date.now() - startedAt).toBeGreaterThan(SECOND);
    } finally {
      await stop();
    }
  });

  test('GET /api/models shows until when they are left alone', async () => {
    const { user, pass, stop } = await start(ALL, 1);
    const states = async () => (await user.call('GET', '/api/models')).body.items;
    try {
      expect(await states()).toMatchObject(ALL.map(() => ({ state: 'healthy', cooldownUntil: null })));
      const askedAt = Date.now();
      await complete(user, A);
      const [a, b, paid] = await states();
      expect([a.state, b.state, paid.state]).toEqual(['cooling', 'cooling', 'healthy']);
      expect([a.next, b.next, paid.next]).toEqual([false, false, true]);
      const inMs = Date.parse(b.cooldownUntil) - askedAt;
      expect(inMs).toBeGreaterThanOrEqual(61 * SECOND);
      expect(inMs).toBeLessThan(61 * SECOND + LONG);
      expect(paid.cooldownUntil).toBeNull();
      pass(61 * SECOND);
      expect(await states()).toMatchObject([{ state: 'healthy' }, { state: 'healthy', cooldownUntil: null }, {}]);
    } finally {
      await stop();
    }
  });
});
