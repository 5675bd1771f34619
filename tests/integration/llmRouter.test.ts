import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadConfig } from '../../src/config/index.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createMetrics } from '../../src/lib/metrics.ts';
import { checkModels } from '../../src/services/llm/checkModels.ts';
import { createRouter } from '../../src/services/llm/router.ts';
import { createLlm } from '../../src/services/llm/index.ts';
import { ProviderError, type LlmProvider } from '../../src/services/llm/provider.ts';
import type { LlmRouter, RoutedPart } from '../../src/services/llm/router.types.ts';
import {
  collect,
  startLlmEndpoint,
  withBareEndpoint,
  type Collected,
  type LlmEndpoint,
} from '../support/llmEndpoint.ts';

let endpoint: LlmEndpoint;
beforeEach(async () => {
  endpoint = await startLlmEndpoint();
});
afterEach(() => endpoint.close());

const messages = [{ role: 'user', content: 'a private question' }] as const;
const never = new AbortController().signal;
const ask = (
  router: LlmRouter,
  options: { model?: string; chatId?: string; signal?: AbortSignal } = {},
): Promise<Collected<RoutedPart>> =>
  collect(
    router.stream(
      { model: options.model ?? 'auto', chatId: options.chatId ?? 'chat', messages },
      options.signal ?? never,
    ),
  );
const modelsOf = ({ parts }: Collected<RoutedPart>): unknown[] => parts.filter(({ type }) => type === 'model');
const asked = (): string[] => endpoint.simulator.log.map(({ model }) => model);
const llmLines = (): Record<string, unknown>[] => endpoint.logLines().filter(({ component }) => component === 'llm');

describe('the rotation over models', () => {
  test('auto takes the next model for each message and names it first', async () => {
    const router = endpoint.router(['sim/words:1', 'sim/echo']);
    expect(router.models().map(({ next }) => next)).toEqual([true, false]);
    const first = await ask(router);
    expect(first.parts[0]).toEqual({ type: 'model', model: 'sim/words:1', reason: 'message' });
    expect(router.models().map(({ next }) => next)).toEqual([false, true]);
    await ask(router);
    await ask(router);
    expect(asked()).toEqual(['sim/words:1', 'sim/echo', 'sim/words:1']);
    expect(router.models()).toMatchObject([
      { id: 'sim/words:1', weight: 1, requests: 2, failures: 0 },
      { id: 'sim/echo', requests: 1, failures: 0 },
    ]);
  });

  test('with chat affinity a chat keeps its model, also in another router', async () => {
    const models = ['sim/words:1', 'sim/words:2', 'sim/words:3'];
    for (const chatId of ['a', 'b', 'c', 'd']) {
      const router = endpoint.router(models, { affinity: 'chat' });
      await ask(router, { chatId });
      await ask(router, { chatId });
      await ask(endpoint.router(models, { affinity: 'chat' }), { chatId });
      expect(new Set(asked().slice(-3)).size).toBe(1);
    }
    expect(new Set(asked()).size).toBeGreaterThan(1);
  });

  test('a slug picks its model, and only one in rotation', async () => {
    const router = endpoint.router(['sim/words:1', 'sim/echo']);
    const answer = await ask(router, { model: 'sim/echo' });
    expect(answer.parts[0]).toEqual({ type: 'model', model: 'sim/echo', reason: 'picked' });
    expect(['auto', 'sim/echo', 'sim/ok'].map((model) => router.hasModel(model))).toEqual([true, true, false]);
    expect((await ask(router, { model: 'sim/ok' })).error).toMatchObject({ kind: 'not_found' });
    expect(asked()).toEqual(['sim/echo']);
  });
});

describe('before the first text', () => {
  test.each<[string, string]>([
    ['500', 'unavailable'],
    ['502-html', 'unavailable'],
    ['429', 'rate_limited'],
    ['404', 'not_found'],
    ['html', 'invalid'],
    ['200-json-error', 'unavailable'],
    ['blank-200', 'invalid'],
    ['empty', 'invalid'],
    ['whitespace', 'invalid'],
    ['malformed-first', 'invalid'],
    ['err-first-event', 'unavailable'],
    ['reset-before-headers', 'network'],
    ['stall-headers', 'timeout'],
    ['stall-first-token', 'timeout'],
    ['comments-only', 'timeout'],
    ['cut-after:0', 'invalid'],
  ])('mode %s (%s) is replaced unseen by the next model, with two calls', async (mode, kind) => {
    const bad = `sim/${mode}`;
    const timeouts = kind === 'timeout' ? { headersMs: 300, firstTokenMs: 300 } : {};
    const router = endpoint.router([bad, 'sim/echo'], { timeouts });
    const answer = await ask(router);
    expect(answer).toMatchObject({ text: 'a private question', error: null });
    expect(modelsOf(answer)).toEqual([
      { type: 'model', model: bad, reason: 'message' },
      { type: 'model', model: 'sim/echo', reason: kind },
    ]);
    expect(answer.parts.filter(({ type }) => type === 'usage')).toHaveLength(1);
    expect(asked()).toEqual([bad, 'sim/echo']);
    expect(router.models()).toMatchObject([
      { requests: 1, failures: 1 },
      { requests: 1, failures: 0 },
    ]);
    expect(await endpoint.metrics.value('llm_failures_total', { model: bad, kind })).toBe(1);
    expect(llmLines()).toMatchObject([
      {
        level: 'warn',
        message: 'model failed',
        model: bad,
        attempt: 1,
        kind,
        next: 'sim/echo',
        durationMs: expect.any(Number),
      },
      { level: 'info', message: 'model answered', model: 'sim/echo', attempt: 2, durationMs: expect.any(Number) },
    ]);
  });

  test.each([
    ['400', 'rejected'],
    ['400-context', 'context_too_long'],
    ['401', 'account'],
    ['402', 'account'],
  ])('mode %s (%s) would fail everywhere, so it costs one call', async (mode, kind) => {
    const answer = await ask(endpoint.router([`sim/${mode}`, 'sim/echo']));
    expect(answer.error).toMatchObject({ kind });
    expect(asked()).toHaveLength(1);
  });

  test('three attempts are all, and the first failure is the one to tell', async () => {
    const answer = await ask(endpoint.router(['sim/429:3', 'sim/500', 'sim/empty', 'sim/echo']));
    expect(answer.error).toMatchObject({ kind: 'rate_limited', retryAfterMs: 3000 });
    expect(asked()).toEqual(['sim/429:3', 'sim/500', 'sim/empty']);
  });

  test('white space before the text is kept', async () => {
    endpoint.simulator.script('sim/x', ['echo']);
    const router = endpoint.router(['sim/x']);
    const parts = await collect(
      router.stream({ model: 'auto', chatId: 'c', messages: [{ role: 'user', content: '\n\n  hi' }] }, never),
    );
    expect(parts.text).toBe('\n\n  hi');
  });

  test('a filtered answer without text is an answer', async () => {
    const answer = await ask(endpoint.router(['sim/content-filter', 'sim/echo']));
    expect(answer.error).toBeNull();
    expect(answer.parts.at(-2)).toMatchObject({ type: 'usage' });
    expect(answer.parts.at(-1)).toEqual({ type: 'finish', reason: 'content_filter' });
  });

  test.each([
    ['500', 2],
    ['reset-before-headers', 2],
    ['429', 1],
    ['empty', 1],
    ['404', 1],
  ])('a picked model that fails with %s is called %i times, and no other is', async (mode, calls) => {
    const model = `sim/${mode}`;
    const answer = await ask(endpoint.router([model, 'sim/echo']), { model });
    expect(answer.error).toMatchObject({ name: 'ProviderError' });
    expect(asked()).toEqual(Array.from({ length: calls }, () => model));
  });

  test('a picked model, or the only one, that fails once answers at the second call', async () => {
    endpoint.simulator.script('sim/echo', ['500']);
    expect(await ask(endpoint.router(['sim/echo', 'sim/ok']), { model: 'sim/echo' })).toMatchObject({ error: null });
    endpoint.simulator.script('sim/echo', ['500']);
    const only = await ask(endpoint.router(['sim/echo']));
    expect(only).toMatchObject({ error: null, text: 'a private question' });
    expect(modelsOf(only)).toHaveLength(2);
  });
});

describe('after the first text', () => {
  test.each([
    ['cut-after:2', 'invalid'],
    ['reset-after:2', 'network'],
    ['err-mid:2', 'unavailable'],
    ['stall-mid:2', 'timeout'],
    ['comments-mid:2', 'timeout'],
    ['malformed:4', 'invalid'],
  ])('mode %s is passed on (%s), the text kept, and nobody else asked', async (mode, kind) => {
    const answer = await ask(endpoint.router([`sim/${mode}`, 'sim/echo'], { timeouts: { idleMs: 100 } }));
    expect(answer.error).toMatchObject({ kind });
    expect(answer.text).toMatch(/^word1/);
    expect(asked()).toEqual([`sim/${mode}`]);
  });
});

describe('an abort', () => {
  const reason = new Error('the client left');

  test.each(['stall-headers', 'stall-first-token', 'comments-only'])(
    'during %s is no failure, and nobody else is asked',
    async (mode) => {
      const router = endpoint.router([`sim/${mode}`, 'sim/echo']);
      const controller = new AbortController();
      const arrived = endpoint.simulator.nextAttempt();
      const answer = ask(router, { signal: controller.signal });
      const attempt = await arrived;
      controller.abort(reason);
      expect((await answer).error).toBe(reason);
      await attempt.settled;
      expect(attempt.abortedAt).not.toBeNull();
      expect(asked()).toHaveLength(1);
      expect(router.models()).toMatchObject([
        { requests: 1, failures: 0 },
        { requests: 0, failures: 0 },
      ]);
      expect(await endpoint.metrics.value('llm_failures_total')).toBe(0);
    },
  );

  test('in the middle of the text is no failure either', async () => {
    const router = endpoint.router(['sim/stall-mid:2', 'sim/echo']);
    const controller = new AbortController();
    const stream = router.stream({ model: 'auto', chatId: 'c', messages }, controller.signal);
    const answer = await collect(stream, ({ type }) => {
      if (type === 'delta') controller.abort(reason);
    });
    expect(answer.error).toBe(reason);
    expect(router.models()).toMatchObject([{ failures: 0 }, { requests: 0 }]);
  });
});

describe('an abort at the moment of a failure', () => {
  test('counts as the abort: no failure, and no second attempt', async () => {
    const controller = new AbortController();
    const reason = new Error('the client left');
    let calls = 0;
    const provider: LlmProvider = {
      listModels: () => Promise.resolve([]),
      findUsage: () => Promise.resolve(null),
      stream: async function* () {
        calls += 1;
        controller.abort(reason);
        throw new ProviderError('unavailable', 'down');
      },
    };
    const router = createRouter({
      provider,
      models: ['a', 'b'].map((slug) => ({ slug, weight: 1 })),
      affinity: 'message',
      temperature: 1,
      maxTokens: 16,
      isSimulated: false,
      metrics: endpoint.metrics,
      logger: endpoint.logger,
      clock: systemClock,
    });
    expect((await ask(router, { signal: controller.signal })).error).toBe(reason);
    expect(calls).toBe(1);
    expect(router.models()).toMatchObject([{ requests: 1, failures: 0 }, { requests: 0 }]);
  });
});

describe('what is written down', () => {
  test('times per model, and never a message’s text', async () => {
    const router = endpoint.router(['sim/echo', 'sim/403']);
    await ask(router);
    await ask(router);
    expect(await endpoint.metrics.value('llm_response_time_seconds', { model: 'sim/echo' })).toBeGreaterThan(0);
    expect(await endpoint.metrics.value('llm_first_token_seconds', { model: 'sim/echo' })).toBeGreaterThan(0);
    expect(llmLines()[0]).toMatchObject({ finishReason: 'stop', firstTokenMs: expect.any(Number) });
    expect(JSON.stringify(endpoint.logLines())).not.toContain('private');
  });
});

describe('the models at the start', () => {
  const rotation = (...slugs: string[]) => slugs.map((slug) => ({ slug, weight: 2 }));
  const levels = (): unknown[] => endpoint.logLines().map(({ level }) => level);

  test('what the endpoint does not offer is left out with a warning', async () => {
    const kept = await checkModels(
      endpoint.provider(),
      rotation('simulator/parley-1', 'gone/model', 'simulator/parley-2:nitro'),
      endpoint.logger,
    );
    expect(kept).toMatchObject([
      { slug: 'simulator/parley-1', weight: 2, offered: { slug: 'simulator/parley-1', contextLength: 128_000 } },
      { slug: 'simulator/parley-2:nitro', weight: 2, offered: { slug: 'simulator/parley-2' } },
    ]);
    expect(endpoint.logLines()).toMatchObject([{ level: 'warn', missing: ['gone/model'] }]);
  });

  test('when none is offered the server does not start', async () => {
    const checked = checkModels(endpoint.provider(), rotation('gone/model'), endpoint.logger);
    await expect(checked).rejects.toThrow('names no model that the endpoint offers: gone/model');
  });

  test.each([
    [404, 'debug'],
    [500, 'warn'],
  ])('an endpoint whose list answers %i is not checked', async (status, level) => {
    const respond = (_req: IncomingMessage, res: ServerResponse): void => void res.writeHead(status).end();
    await withBareEndpoint(respond, async (open) => {
      expect(await checkModels(open(), rotation('a/b'), endpoint.logger)).toMatchObject(rotation('a/b'));
    });
    expect(levels()).toEqual([level]);
  });
});

describe('createLlm', () => {
  const tools = () => ({ logger: endpoint.logger, metrics: createMetrics(), clock: systemClock });

  test('without a key the simulator answers, in turns, and the log says so', async () => {
    const llm = await createLlm(loadConfig({ NODE_ENV: 'test' }), tools());
    expect(llm.router.isSimulated).toBe(true);
    expect(llm.router.models().map(({ id }) => id)).toEqual(['simulator/parley-1', 'simulator/parley-2']);
    const stop = new AbortController();
    const seen = await collect(llm.router.stream({ model: 'auto', chatId: 'c', messages }, stop.signal), ({ type }) => {
      if (type === 'delta') stop.abort(new Error('seen enough'));
    });
    expect(seen.parts[0]).toMatchObject({ model: 'simulator/parley-1' });
    expect(llmLines()).toMatchObject([{ level: 'warn', message: expect.stringContaining('SIMULATOR') }, {}]);
    await llm.close();
  });

  test('with an endpoint its models answer, those that it offers', async () => {
    const { baseUrl, apiKey } = endpoint.simulator;
    const env = {
      NODE_ENV: 'test',
      OPENROUTER_BASE_URL: baseUrl,
      OPENROUTER_API_KEY: apiKey,
      OPENROUTER_MODELS: 'simulator/parley-2=3,gone/x',
    };
    const llm = await createLlm(loadConfig(env), tools());
    expect(llm.router).toMatchObject({ isSimulated: false });
    expect(llm.router.models()).toMatchObject([{ id: 'simulator/parley-2', weight: 3, next: true }]);
    expect((await ask(llm.router)).text).toContain('a private question');
    await llm.close();
  });
});
