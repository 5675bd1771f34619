import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { countedText } from '../../src/services/llm/simulator/text.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorld, type Answer, type TestUser, type World } from '../support/world.ts';

const LONG = 60_000;
const WHOLE = countedText(20);
const WELL = 'words:20';
const IDLE = { LLM_IDLE_TIMEOUT: '1500ms' };

let world: World;
let user: TestUser;
const modes: Record<string, string> = {};
beforeAll(async () => {
  const models = Array.from({ length: 200 }, (_, index) => `a/${String(index)}`);
  world = await startWorld({ models, env: IDLE });
  user = await world.signUp();
});
afterAll(() => world.stop());

/** Models that nobody has asked yet, one for each mode, in the order in which they are asked. */
const modelsOf = (...wanted: readonly string[]): readonly string[] => {
  const slugs = wanted.map((mode) => {
    const slug = `a/${String(Object.keys(modes).length)}`;
    modes[slug] = mode;
    return slug;
  });
  world.upstream.config({ modes });
  return slugs;
};
const QUESTION = [{ role: 'user', content: 'count' }];
const ask = (slugs: readonly string[], more: object = {}): Promise<Answer> =>
  user.call('POST', '/v1/chat/completions', { model: slugs.join(), messages: QUESTION, ...more });
const callsOf = (slugs: readonly string[]) => world.upstream.log.filter(({ model }) => slugs.includes(model));
/** The books of one request, once they are all written. */
const booksOf = (slugs: readonly string[], count: number) =>
  waitFor(async () => {
    const { body } = await user.call('GET', '/api/usage/attempts?limit=100');
    const rows = (body.items as { model: string; number: number }[]).filter(({ model }) => slugs.includes(model));
    return rows.length === count && rows.sort((a, b) => a.number - b.number);
  });

const BREAKS = [
  ['cut-after:12', 'invalid'],
  ['fin-mid-chunk:12', 'network'],
  ['reset-after:12', 'network'],
  ['stall-mid:12', 'timeout'],
  ['err-mid:12', 'unavailable'],
  ['err-choice-only:12', 'unavailable'],
  ['event-error:12', 'unavailable'],
  ['malformed:4', 'invalid'],
  ['tools-cut', 'invalid'],
  ['reasoning-cut', 'invalid'],
] as const;

describe('a completion in one piece whose model breaks off', () => {
  test.each(BREAKS)(
    'by %s (%s) is another model’s answer alone, asked what the first was',
    async (mode, _reason) => {
      const slugs = modelsOf(mode, WELL);
      const { status, headers, body } = await ask(slugs);
      const calls = callsOf(slugs);
      expect([status, calls.map(({ model }) => model)]).toEqual([200, slugs]);
      expect(body.model).toBe(slugs[1]);
      expect(body.choices).toEqual([
        {
          index: 0,
          message: { role: 'assistant', content: WHOLE, refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ]);
      await calls[1]!.settled;
      const { promptTokens, completionTokens } = calls[1]!.bill!;
      expect(body.usage).toMatchObject({
        prompt_tokens: promptTokens,
        completion_tokens: completionTokens,
        total_tokens: promptTokens + completionTokens,
      });
      expect([headers.get('x-router-model'), headers.get('x-router-attempts')]).toEqual([slugs[1], '2']);
      expect(calls[1]!.messages).toEqual(calls[0]!.messages);
    },
    LONG,
  );

  test('hands on neither thoughts nor tool calls of the one that broke off', async () => {
    const { body } = await ask(modelsOf('reasoning-cut', 'reasoning'));
    expect(body.choices[0].message).toMatchObject({ reasoning: 'Let me think.', content: countedText(8) });
    const tools = [{ type: 'function', function: { name: 'find_weather', parameters: { type: 'object' } } }];
    const { body: called } = await ask(modelsOf('tools-cut', 'tools:1'), { tools });
    const [call, ...others] = called.choices[0].message.tool_calls;
    expect([others, JSON.parse(call.function.arguments).city]).toEqual([[], 'Zürich']);
  });

  // Not by a reset, which may swallow the name of the call in the books.
  test.each(BREAKS.filter(([mode]) => /^(cut|fin|stall)/.test(mode)))(
    '(%s) has a row for each attempt in the books, each with its own tokens',
    async (mode, reason) => {
      const slugs = modelsOf(mode, WELL);
      await ask(slugs);
      const rows = await booksOf(slugs, 2);
      const bills = await Promise.all(
        callsOf(slugs).map(async (call) => {
          await call.settled;
          return call.bill!;
        }),
      );
      expect(bills[0]!.completionTokens).toBeGreaterThan(0);
      expect(rows).toMatchObject([
        { number: 1, outcome: 'failed', reason },
        { number: 2, outcome: 'complete', reason: 'stop', chosenBy: reason },
      ]);
      expect(rows).toMatchObject(
        bills.map(({ promptTokens, completionTokens, costMicroUsd }) => ({
          usage: { promptTokens, completionTokens, costMicroUsd, estimated: false },
        })),
      );
    },
    LONG,
  );

  test('counts that against the model, as a stream that broke off does', async () => {
    const slugs = modelsOf('cut-after:3', WELL);
    await ask(slugs);
    const { body } = await user.call('GET', '/api/models');
    const broken = (body.items as { id: string }[]).find(({ id }) => id === slugs[0]);
    expect(broken).toMatchObject({ requests: 1, failures: 1, successRate: 0, state: 'degraded' });
  });

  test('asks three models at most, and tells what went wrong first', async () => {
    const slugs = modelsOf('err-mid:3', 'cut-after:3', 'cut-after:4', WELL);
    const { status, headers, body } = await ask(slugs);
    expect([status, body.error.code]).toEqual([503, 'overloaded']);
    expect([headers.get('x-should-retry'), callsOf(slugs).map(({ model }) => model)]).toEqual([
      'false',
      slugs.slice(0, 3),
    ]);
  });

  test('asks nobody about what would be refused everywhere', async () => {
    const slugs = modelsOf('cut-after:3', '400-policy', WELL);
    expect((await ask(slugs)).body.error.code).toBe('bad_gateway');
    expect(callsOf(slugs)).toHaveLength(2);
  });

  test('has the same model once more where there is no other', async () => {
    const slugs = modelsOf('once:reset-after:3');
    const { status, body } = await ask(slugs);
    expect([status, body.choices[0].finish_reason]).toEqual([200, 'stop']);
    expect(callsOf(slugs)).toHaveLength(2);
  });

  test.each([
    ['length:4', 'length', countedText(4)],
    ['content_filter:2', 'content_filter', countedText(2)],
  ])('does not by %s: that is an end', async (mode, reason, content) => {
    const slugs = modelsOf(mode, WELL);
    const { body } = await ask(slugs);
    expect(body.choices[0]).toMatchObject({ finish_reason: reason, message: { content } });
    expect(callsOf(slugs)).toHaveLength(1);
  });
});

test('what a client has seen of a stream is not begun anew', async () => {
  const slugs = modelsOf('cut-after:3', WELL);
  const { body } = await ask(slugs, { stream: true });
  expect(body).toContain('data: {"error":{');
  expect(body).not.toContain('[DONE]');
  expect(callsOf(slugs)).toHaveLength(1);
});

test('with MID_STREAM_FAILOVER a completion in one piece is begun anew all the same, and not continued', async () => {
  const models = ['sim/cut-after:12', 'sim/words:20'];
  const continuing = await startWorld({ models, env: { MID_STREAM_FAILOVER: 'true' } });
  try {
    const someone = await continuing.signUp();
    const { body } = await someone.call('POST', '/v1/chat/completions', { model: models.join(), messages: QUESTION });
    expect([body.model, body.choices[0].message.content]).toEqual(['sim/words:20', WHOLE]);
    expect(continuing.upstream.log.map(({ messages }) => messages.length)).toEqual([1, 1]);
  } finally {
    await continuing.stop();
  }
});

describe('a client that leaves a completion in one piece', () => {
  /** Leaves once the last of the calls has sent its first words, and lets the server find out. */
  const leave = async (slugs: readonly string[], calls: number): Promise<void> => {
    const client = new AbortController();
    const response = fetch(`${world.url}/v1/chat/completions`, {
      method: 'POST',
      signal: client.signal,
      headers: { Authorization: `Bearer ${user.accessToken}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ model: slugs.join(), messages: QUESTION }),
    });
    response.catch(() => undefined);
    const { metrics } = world.node.container;
    const last = slugs[calls - 1]!;
    await waitFor(async () => (await metrics.value('llm_first_token_seconds', { model: last })) > 0);
    client.abort();
    await callsOf(slugs).at(-1)!.settled;
  };

  test.each([
    ['in the first answer', ['slow:100', WELL], 1, ['cancelled']],
    ['in the second', ['cut-after:3', 'slow:100', WELL], 2, ['failed', 'cancelled']],
  ])(
    '%s ends it, and no other model is asked',
    async (_when, wanted, calls, outcomes) => {
      const slugs = modelsOf(...wanted);
      await leave(slugs, calls);
      expect(callsOf(slugs).at(-1)).toMatchObject({ ending: 'aborted' });
      const rows = await booksOf(slugs, calls);
      expect(rows).toMatchObject(outcomes.map((outcome) => ({ outcome })));
      expect(callsOf(slugs)).toHaveLength(calls);
    },
    LONG,
  );
});
