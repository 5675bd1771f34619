import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import OpenAI from 'openai';
import { createSimulator, type Simulator, type SimulatorOptions } from '../../src/services/llm/simulator/index.ts';
import { countedText } from '../../src/services/llm/simulator/text.ts';
import { ask, lookUp, type Answered } from '../support/simulatorClient.ts';

const MIDDAY = Date.UTC(2026, 10, 21, 12);

let nowMs: number;
let simulator: Simulator;
const start = async (options: Partial<SimulatorOptions> = {}): Promise<Simulator> =>
  createSimulator({ tokenDelayMs: 0, clock: { now: () => nowMs }, models: ['sim/words:3', 'sim/ok:free'], ...options });

beforeEach(async () => {
  nowMs = MIDDAY;
  simulator = await start();
});
afterEach(() => simulator.close());

const statuses = async (model: string, calls: number): Promise<(number | null)[]> => {
  const seen: (number | null)[] = [];
  for (let call = 0; call < calls; call += 1) seen.push((await ask(simulator, model)).status);
  return seen;
};
const last = <T>(list: readonly T[]): T => list.at(-1)!;

describe('OpenRouter’s interface', () => {
  test('chat without the key, asked, is refused as OpenRouter does', async () => {
    const refused = { headers: { Authorization: 'Bearer wrong' } };
    expect(await ask(simulator, 'sim/ok', refused)).toMatchObject({ status: 401, frames: [{ error: { code: 401 } }] });
    expect(await lookUp(simulator, '/key', null)).toMatchObject({
      status: 401,
      body: { error: { message: 'Missing Authentication header' } },
    });
    expect(simulator.log).toHaveLength(0);
  });

  test('GET /models, without a key, has prices as decimal strings and the context length', async () => {
    simulator.config({
      models: {
        'a/b': { promptMicroUsd: 0.15, completionMicroUsd: 2.5, contextLength: 8192, maxCompletionTokens: 512 },
      },
    });
    const { status, body } = await lookUp(simulator, '/models', null);
    expect(status).toBe(200);
    expect(body.data.map(({ id }: { id: string }) => id)).toEqual(['sim/words:3', 'sim/ok:free', 'a/b']);
    expect(body.data[0]).toMatchObject({
      canonical_slug: 'sim/words:3',
      name: 'sim/words:3',
      created: expect.any(Number),
      context_length: 128_000,
      pricing: { prompt: '0.000002', completion: '0.000002' },
      top_provider: { context_length: 128_000, max_completion_tokens: null, is_moderated: false },
      supported_parameters: expect.arrayContaining(['tools', 'max_tokens']),
      architecture: { tokenizer: 'Other' },
    });
    expect(body.data[1].pricing).toMatchObject({ prompt: '0', completion: '0' });
    expect(body.data[2]).toMatchObject({
      context_length: 8192,
      pricing: { prompt: '0.00000015', completion: '0.0000025' },
      top_provider: { max_completion_tokens: 512 },
    });
  });

  test('a model’s endpoints, looked up, are one provider; of an unknown model there are none', async () => {
    const { body } = await lookUp(simulator, '/models/sim/words:3/endpoints');
    expect(body.data).toMatchObject({
      id: 'sim/words:3',
      endpoints: [{ provider_name: 'Parley simulator', status: 0 }],
    });
    expect(await lookUp(simulator, '/models/no/such/endpoints')).toMatchObject({ status: 404 });
  });

  test('the same interface under /v1, and /health, are there; other paths are not', async () => {
    const { origin } = new URL(simulator.baseUrl);
    const statusOf = async (path: string) => (await fetch(`${origin}${path}`)).status;
    expect(await Promise.all(['/v1/models', '/health', '/', '/__sim/log', '/models'].map(statusOf))).toEqual([
      200, 200, 404, 404, 404,
    ]);
  });

  test.each([
    ['two answers', { n: 2 }],
    ['no room', { max_tokens: 0 }],
    ['no messages', { messages: [] }],
    ['a message without a role', { messages: [{ content: 'x' }] }],
    ['more than three models', { models: ['a', 'b', 'c', 'd'] }],
  ])('a request for %s is refused with 400', async (_what, body) => {
    expect(await ask(simulator, 'sim/ok', { body })).toMatchObject({
      status: 400,
      frames: [{ error: { code: 400, metadata: { error_type: 'invalid_request' } } }],
    });
  });

  test('a message in parts, sent, is read by its texts', async () => {
    const content = [
      { type: 'text', text: 'What is' },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } },
      { type: 'text', text: 'this?' },
    ];
    expect(await ask(simulator, 'sim/echo', { messages: [{ role: 'user', content }] })).toMatchObject({
      text: 'What is\nthis?',
    });
  });

  test('an answer, streamed, is OpenRouter’s: role, provider, id in the header, usage after the finish', async () => {
    const { headers, frames, body } = await ask(simulator, 'sim/words:2');
    expect(frames[0]).toMatchObject({
      provider: 'Parley simulator',
      model: 'sim/words:2',
      object: 'chat.completion.chunk',
      created: MIDDAY / 1000,
      choices: [{ index: 0, delta: { role: 'assistant', content: 'word1' }, finish_reason: null }],
    });
    expect(headers['x-generation-id']).toBe(frames[0].id);
    expect(frames.at(-2).choices[0]).toMatchObject({ finish_reason: 'stop', native_finish_reason: 'stop' });
    expect(frames.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 2, completion_tokens: 3 } });
    expect(body.endsWith('\n\ndata: [DONE]\n\n')).toBe(true);
  });

  test('tool calls, streamed and put together by the official client, have whole arguments', async () => {
    const client = new OpenAI({ baseURL: simulator.baseUrl, apiKey: simulator.apiKey, maxRetries: 0 });
    const question = {
      model: 'sim/tools:2',
      messages: [{ role: 'user' as const, content: 'Weather?' }],
      tools: [{ type: 'function' as const, function: { name: 'weather', parameters: {} } }],
    };
    const streamed = await client.chat.completions.stream(question).finalChatCompletion();
    const plain = await client.chat.completions.create(question);
    for (const { choices } of [streamed, plain]) {
      expect(choices[0]).toMatchObject({ finish_reason: 'tool_calls' });
      const calls = choices[0]!.message.tool_calls!.map((call) => (call.type === 'function' ? call.function : null));
      expect(calls.map((call) => call?.name)).toEqual(['weather', 'weather']);
      for (const call of calls) expect(JSON.parse(call!.arguments)).toMatchObject({ city: 'Zürich' });
    }
    const tool = { role: 'tool', tool_call_id: 'call_1', content: '20 °C' };
    const answered = await ask(simulator, 'sim/tools', { messages: [{ role: 'user', content: 'x' }, tool] });
    expect(answered).toMatchObject({ finishReason: 'stop', text: countedText(8) });
  });

  test.each<[string, RegExp]>([
    ['crlf', /^data: \{.*\}\r\n\r\n/],
    ['no-space', /^data:\{/],
    ['multi-data-line', /^data: \{\ndata: {2}"id"/],
    ['event-name', /^event: message\ndata: \{/],
    ['bom', /^\uFEFFdata: \{/],
    ['comments', /^: OPENROUTER PROCESSING\n\ndata: .*\n\n: OPENROUTER PROCESSING\n\n: /],
    ['no-done', /"usage":\{.*\}\}\n\n$/],
    ['no-final-blank-line', /"finish_reason":"stop"\}\]\}$/],
    ['done-glued-to-json', /\}\ndata: \[DONE\]\n\n$/],
    ['surrogate-split', /"content":"\\ud83d"\}.*\n\n.*"content":"\\udc69"/],
    ['malformed:2', /(data: \{"choices":\[\{"del\n\n){2}/],
    ['dup-finish', /"finish_reason":"stop"[^]*"finish_reason":"stop"/],
    ['debug-first-chunk', /^data: \{"choices":\[\],"debug":/],
    ['event-error:1', /event: error\ndata: \{"error"/],
    ['err-first-event', /^data: \{"choices":\[\],"error":\{"code":502/],
    ['err-string-code:1', /"error":\{"code":"server_error"/],
    ['ok-usage-new', /data: \{"object":"chat.completion.chunk","choices":\[\],"usage"/],
    ['ok-usage-old', /"choices":\[\{"index":0,"delta":\{[^}]*"content":""\},"finish_reason":null\}\],"usage"/],
  ])('the bytes of mode %s, looked at, match %s', async (mode, pattern) => {
    expect((await ask(simulator, `sim/${mode}`)).body).toMatch(pattern);
  });

  test('an answer, coalesced, split into bytes or compressed, comes so and is whole', async () => {
    const [coalesced, split, compressed] = await Promise.all(
      ['sim/coalesced', 'sim/utf8-split', 'sim/gzip'].map((model) => ask(simulator, model)),
    );
    expect(coalesced).toMatchObject({ reads: 1, text: countedText(8) });
    expect(split!.reads).toBeGreaterThan(split!.bytes.length / 10);
    expect(compressed!.headers['content-encoding']).toBe('gzip');
    expect(compressed!.text).toContain('世界');
  });
});

test('a stream, split at many offsets, is the same bytes in two pieces', async () => {
  const plain = await ask(simulator, 'sim/coalesced');
  expect(plain.reads).toBe(1);
  const withoutId = ({ body }: Answered): string => body.replaceAll(/gen-\d+-\d+/g, 'gen');
  const reads: number[] = [];
  for (let splitAt = 1; splitAt < plain.bytes.length; splitAt += 61) {
    simulator.config({ splitAt });
    const split = await ask(simulator, 'sim/coalesced');
    expect(withoutId(split)).toBe(withoutId(plain));
    reads.push(split.reads);
  }
  expect(Math.max(...reads)).toBe(2);
  expect(withoutId(await ask(simulator, 'sim/words:8'))).toBe(
    withoutId(plain).replaceAll('sim/coalesced', 'sim/words:8'),
  );
});

describe('the mode of a call', () => {
  test('named by header, script, configuration and model, is the first of these', async () => {
    simulator.config({ modes: { 'sim/words:3': '408', '*': '413' } });
    simulator.script('sim/words:3', [429, '502-html']);
    const byHeader = await ask(simulator, 'sim/words:3', { headers: { 'x-sim-mode': '529' } });
    expect([byHeader.status, ...(await statuses('sim/words:3', 3))]).toEqual([529, 429, 502, 408]);
    expect((await ask(simulator, 'vendor/model')).status).toBe(413);
    expect(simulator.log.map(({ mode }) => mode)).toEqual(['529', '429', '502-html', '408', '413']);
  });

  test('that does not exist is 404 by name and an error in a script', async () => {
    for (const model of ['sim/nonsense', 'sim/words:many', 'sim/500:3'])
      expect(await ask(simulator, model)).toMatchObject({ status: 404 });
    expect(() => simulator.script('sim/ok', ['nonsense'])).toThrow('There is no mode nonsense');
    expect(() => simulator.config({ mix: { pnonsense: 0.1 } })).toThrow('There is no mode nonsense');
  });

  test('drawn by chance, is the same for the same seed, as often as asked, whatever else runs', async () => {
    const draw = async (seed: number): Promise<string> => {
      simulator.reset();
      simulator.config({ seed, mix: { p429: 0.2, p500: 0.1 } });
      return (await statuses('sim/words:1', 100)).join(' ');
    };
    const first = await draw(7);
    expect(await draw(7)).toBe(first);
    expect(await draw(8)).not.toBe(first);
    const share = (status: string) => first.split(' ').filter((each) => each === status).length;
    expect(share('429')).toBeGreaterThan(8);
    expect(share('429')).toBeLessThan(35);
    expect(share('500')).toBeGreaterThan(2);
    expect(share('500')).toBeLessThan(25);
  });

  test('once:<mode>, asked twice, is played to the first call', async () => {
    expect(await statuses('sim/once:429-retry-after:2', 3)).toEqual([429, 200, 200]);
    expect(simulator.log.map(({ played }) => played)).toEqual(['429-retry-after:2', 'ok', 'ok']);
  });

  test('down:60s and flap, asked over time, follow the clock from their first call', async () => {
    const seen: (number | null)[][] = [];
    for (const second of [0, 59, 60, 69, 71, 130]) {
      nowMs = MIDDAY + second * 1000;
      seen.push([...(await statuses('sim/down:60s', 1)), ...(await statuses('sim/flap:60s,10s,500', 1))]);
    }
    expect(seen).toEqual([
      [503, 500],
      [503, 500],
      [200, 200],
      [200, 200],
      [200, 500],
      [200, 200],
    ]);
  });

  test('an outage, announced, ends when the simulator’s clock has moved past it', async () => {
    simulator.outage({ model: 'vendor/model', forMs: 60_000, mode: '500' });
    expect(await statuses('vendor/model', 1)).toEqual([500]);
    simulator.advance(59_999);
    expect(await statuses('vendor/model', 1)).toEqual([500]);
    simulator.advance(1);
    expect(await statuses('vendor/model', 1)).toEqual([200]);
  });

  test('concurrency:1, asked twice at once, refuses the second, and not the next', async () => {
    const first = simulator.nextAttempt();
    const enough = Promise.withResolvers<undefined>();
    const stalled = { headers: { 'x-sim-mode': 'stall-first-token' }, leaveWhen: enough.promise };
    const running = ask(simulator, 'sim/x', stalled);
    await first;
    const busy = await ask(simulator, 'sim/x', { headers: { 'x-sim-mode': 'concurrency:1' } });
    expect(busy).toMatchObject({
      status: 429,
      frames: [{ error: { metadata: { provider_name: expect.any(String) } } }],
    });
    enough.resolve(undefined);
    await running;
    await simulator.idle();
    const free = await ask(simulator, 'sim/x', { headers: { 'x-sim-mode': 'concurrency:1' } });
    expect(free.status).toBe(200);
    expect(simulator.books().models['sim/x']).toMatchObject({ calls: 3, maxInFlight: 2 });
  });

  test('refuse, asked, closes the port for a while', async () => {
    expect(await ask(simulator, 'sim/refuse:200ms')).toMatchObject({ status: null, broken: 'ECONNRESET' });
    let broken = (await ask(simulator, 'sim/ok')).broken;
    expect(broken).toBe('ECONNREFUSED');
    while (broken !== null) ({ broken } = await ask(simulator, 'sim/ok'));
    expect(last(simulator.log).mode).toBe('ok');
  });
});

describe('limits of the account', () => {
  test('the free pool, over 20 a minute, refuses all free models until the minute is over, and no other', async () => {
    const seen = [...(await statuses('sim/words:1:free', 15)), ...(await statuses('sim/free-pool', 5))];
    expect(new Set(seen)).toEqual(new Set([200]));
    const { status, headers, frames } = await ask(simulator, 'vendor/other:free');
    const reset = String(MIDDAY + 60_000);
    expect(status).toBe(429);
    expect(headers).toMatchObject({
      'x-ratelimit-limit': '20',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': reset,
    });
    expect(frames[0].error).toMatchObject({
      message: 'Rate limit exceeded: free-models-per-min. ',
      metadata: { headers: { 'X-RateLimit-Reset': reset } },
    });
    expect(await statuses('sim/words:1', 1)).toEqual([200]);
    simulator.advance(60_000);
    expect(await statuses('sim/words:1:free', 1)).toEqual([200]);
    expect((await lookUp(simulator, '/key')).body.data.free_model_daily_requests).toEqual({
      limit: 50,
      used: 21,
      remaining: 29,
    });
  });

  test('the free pool, over its day, refuses until midnight', async () => {
    simulator.config({ freePool: { perMinute: 100, perDay: 3 } });
    expect(await statuses('sim/ok:free', 4)).toEqual([200, 200, 200, 429]);
    const { headers, frames } = await ask(simulator, 'sim/ok:free');
    expect(headers['x-ratelimit-reset']).toBe(String(Date.UTC(2026, 10, 22)));
    expect(frames[0].error.message).toContain('free-models-per-day');
    simulator.advance(12 * 3_600_000);
    expect(await statuses('sim/ok:free', 1)).toEqual([200]);
  });

  test('the credit, spent, is 402 for every model, in /credits and in /key', async () => {
    simulator.config({ creditMicroUsd: 20 });
    expect(await statuses('sim/words:3', 3)).toEqual([200, 200, 402]);
    expect(await statuses('sim/ok:free', 1)).toEqual([402]);
    expect((await lookUp(simulator, '/credits')).body.data).toEqual({ total_credits: 0.00002, total_usage: 0.000028 });
    expect((await lookUp(simulator, '/key')).body.data).toMatchObject({ usage: 0.000028, limit_remaining: -0.000008 });
    expect(await statuses('sim/credits:1000000', 1)).toEqual([402]);
    simulator.config({ creditMicroUsd: null });
    expect(await statuses('sim/credits:28', 1)).toEqual([402]);
    expect(await statuses('sim/credits:29', 1)).toEqual([200]);
  });

  test.each([
    ['2', '2'],
    ['0', '0'],
    ['-1', '-1'],
    ['1e9', '1e9'],
    ['date', new Date(MIDDAY + 2000).toUTCString()],
    ['past-date', new Date(MIDDAY - 60_000).toUTCString()],
    ['garbage', 'in a little while'],
  ])('429-retry-after:%s says %s', async (argument, said) => {
    const { status, headers } = await ask(simulator, `sim/429-retry-after:${argument}`);
    expect([status, headers['retry-after']]).toEqual([429, said]);
  });

  test('a prompt over the context window, of mode or model, is refused, and a shorter one is not', async () => {
    const long = { messages: [{ role: 'user', content: 'x'.repeat(44) }] };
    simulator.config({ models: { 'a/small': { contextLength: 10, isContextEnforced: true } } });
    for (const model of ['sim/ok-context:10', 'a/small']) {
      expect(await ask(simulator, model, long)).toMatchObject({
        status: 400,
        frames: [{ error: { metadata: { error_type: 'context_length_exceeded' } } }],
      });
      expect((await ask(simulator, model)).status).toBe(200);
    }
    expect(simulator.log[0]).toMatchObject({ promptTokens: 11 });
    expect((await lookUp(simulator, '/models/sim/ok-context:10/endpoints')).body.data.endpoints[0]).toMatchObject({
      context_length: 10,
    });
  });
});
