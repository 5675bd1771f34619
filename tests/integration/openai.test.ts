import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import OpenAI from 'openai';
import type { ChatCompletionChunk } from 'openai/resources/chat/completions';
import { asking, openAiClient, rejectionOf } from '../support/openai.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

const WORDS = 'word1 word2 word3';
const TOOL = { type: 'function', function: { name: 'find_weather', parameters: { type: 'object' } } } as const;
const TOOL_ARGUMENTS = { city: 'Zürich', unit: '°C', note: 'a "quoted" word' };

let world: World;
let user: TestUser;
let client: OpenAI;

beforeAll(async () => {
  world = await startWorld({
    models: [
      'sim/words:3',
      'sim/echo',
      'sim/tools:2',
      'sim/reasoning',
      'sim/length:2',
      'sim/content_filter',
      'sim/500',
    ],
  });
  user = await world.signUp();
  client = openAiClient(user);
});
afterAll(() => world.stop());

const collect = async (stream: AsyncIterable<ChatCompletionChunk>): Promise<ChatCompletionChunk[]> => {
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
};
const textOf = (chunks: readonly ChatCompletionChunk[]): string =>
  chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
const lastCall = () => world.upstream.log.at(-1)!;

describe('a completion in one piece, by the official client', () => {
  test('has the answer, who gave it, and what it used', async () => {
    const answer = await client.chat.completions.create(asking('sim/words:3'));
    expect(answer).toEqual({
      id: expect.stringMatching(/^chatcmpl-[0-9a-f]{32}$/),
      object: 'chat.completion',
      created: expect.any(Number),
      model: 'sim/words:3',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: WORDS, refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: {
        prompt_tokens: 1,
        completion_tokens: expect.any(Number),
        total_tokens: expect.any(Number),
        prompt_tokens_details: { cached_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 0 },
        cost: expect.any(Number),
      },
    });
    expect(answer._request_id).toBeTruthy();
    expect(Math.abs(answer.created - Date.now() / 1000)).toBeLessThan(60);
  });

  test.each([
    ['sim/length:2', 'length', 'word1 word2'],
    ['sim/content_filter', 'content_filter', ''],
  ])('of %s finishes with %s', async (model, reason, content) => {
    const { choices } = await client.chat.completions.create(asking(model));
    expect(choices[0]).toMatchObject({ finish_reason: reason, message: { content } });
  });

  test('has tool calls put together, and goes on with their results', async () => {
    const tools = [TOOL];
    const first = await client.chat.completions.create({ ...asking('sim/tools:2'), tools, tool_choice: 'auto' });
    const { message, finish_reason: reason } = first.choices[0]!;
    expect(reason).toBe('tool_calls');
    expect(message.content).toBeNull();
    expect(message.tool_calls).toEqual(
      ['call_1', 'call_2'].map((id) => ({
        id,
        type: 'function',
        function: { name: 'find_weather', arguments: JSON.stringify(TOOL_ARGUMENTS) },
      })),
    );
    expect(lastCall().fields).toMatchObject({ tools, tool_choice: 'auto' });

    const results = message.tool_calls!.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: '7 °C' }) as const);
    const messages = [{ role: 'user', content: 'How is the weather?' } as const, message, ...results];
    const second = await client.chat.completions.create({ model: 'sim/tools:2', messages, tools });
    expect(second.choices[0]).toMatchObject({
      finish_reason: 'stop',
      message: { content: expect.stringMatching(/^word1/) },
    });
  });

  test('has the reasoning under both of its names', async () => {
    const { choices } = await client.chat.completions.create(asking('sim/reasoning'));
    expect(choices[0]!.message).toMatchObject({ reasoning: 'Let me think.', reasoning_content: 'Let me think.' });
  });

  test('tells in its headers what the router did', async () => {
    const { data, response } = await client.chat.completions.create(asking('sim/500,sim/echo')).withResponse();
    expect(data.model).toBe('sim/echo');
    expect(response.headers.get('x-router-model')).toBe('sim/echo');
    expect(Number(response.headers.get('x-router-attempts'))).toBeGreaterThanOrEqual(1);
    expect(Number(response.headers.get('x-router-overhead-ms'))).toBeGreaterThanOrEqual(0);
    expect(response.headers.get('x-request-id')).toBeTruthy();
  });
});

describe('a streamed completion, by the official client', () => {
  test('begins with the role, ends with the reason, and is one answer throughout', async () => {
    const chunks = await collect(await client.chat.completions.create({ ...asking('sim/words:3'), stream: true }));
    expect(textOf(chunks)).toBe(WORDS);
    expect(chunks[0]!.choices[0]!.delta).toEqual({ role: 'assistant', content: '' });
    expect(chunks.at(-1)!.choices[0]).toEqual({ index: 0, delta: {}, logprobs: null, finish_reason: 'stop' });
    expect(chunks.slice(0, -1).every(({ choices }) => choices[0]!.finish_reason === null)).toBe(true);
    const heads = new Set(chunks.map(({ id, created, model, object }) => JSON.stringify([id, created, model, object])));
    expect(heads.size).toBe(1);
    expect(chunks.every((chunk) => !('usage' in chunk))).toBe(true);
  });

  test('brings the usage when asked, in a last chunk without a choice', async () => {
    const chunks = await collect(
      await client.chat.completions.create({
        ...asking('sim/words:3'),
        stream: true,
        stream_options: { include_usage: true },
      }),
    );
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 1 } });
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
  });

  test('has tool calls in fragments that the client puts together', async () => {
    const runner = client.chat.completions.stream({ ...asking('sim/tools:2'), tools: [TOOL] });
    const { choices } = await runner.finalChatCompletion();
    const calls = choices[0]!.message.tool_calls!;
    expect(calls.map((call) => call.type === 'function' && JSON.parse(call.function.arguments))).toEqual([
      TOOL_ARGUMENTS,
      TOOL_ARGUMENTS,
    ]);
  });

  test('has the reasoning before the text', async () => {
    const chunks = await collect(await client.chat.completions.create({ ...asking('sim/reasoning'), stream: true }));
    const deltas = chunks.map(({ choices }) => choices[0]!.delta as Record<string, unknown>);
    const thoughts = deltas.filter(({ reasoning }) => reasoning !== undefined);
    expect(thoughts.map(({ reasoning }) => reasoning).join('')).toBe('Let me think.');
    expect(thoughts.every((delta) => delta.reasoning === delta.reasoning_content)).toBe(true);
    expect(deltas.indexOf(thoughts[0]!)).toBeLessThan(deltas.findIndex(({ content }) => Boolean(content)));
  });

  test('keeps to the wire that hand-written clients read', async () => {
    const response = await fetch(`${world.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${user.accessToken}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ ...asking('sim/words:3'), stream: true }),
    });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-store, no-transform',
      'x-accel-buffering': 'no',
      'x-router-model': 'sim/words:3',
      'x-router-attempts': '1',
    });
    const frames = (await response.text()).split('\n\n');
    expect(frames.slice(-2)).toEqual(['data: [DONE]', '']);
    for (const frame of frames.slice(0, -2)) expect(JSON.parse(frame.replace(/^data: /, ''))).toHaveProperty('choices');
  });
});

describe('many streamed completions at once', () => {
  const LONG = Array.from({ length: 60 }, (_word, index) => `word${String(index + 1)}`).join(' ');

  /** Each answer waits so long for its next piece (src/services/llm/beat.ts). */
  const BEAT_MS = 40;

  /** The pieces of text of each of so many answers at the same time, and how long they took together. */
  const pieces = async (streams: number, tokenDelayMs: number): Promise<{ answers: string[][]; ms: number }> => {
    const busy = await startWorld({ models: ['sim/words:60'], tokenDelayMs });
    try {
      const someone = openAiClient(await busy.signUp());
      const startedAt = performance.now();
      const answers = await Promise.all(
        Array.from({ length: streams }, async () => {
          const chunks = await collect(
            await someone.chat.completions.create({ ...asking('sim/words:60'), stream: true }),
          );
          expect(chunks.at(-1)?.choices[0]).toMatchObject({ delta: {}, finish_reason: 'stop' });
          return chunks.map(({ choices }) => choices[0]?.delta.content ?? '').filter(Boolean);
        }),
      );
      return { answers, ms: performance.now() - startedAt };
    } finally {
      await busy.stop();
    }
  };

  test('come in fewer pieces, and whole', async () => {
    const { answers, ms } = await pieces(40, 10);
    expect(answers.map((answer) => answer.join(''))).toEqual(answers.map(() => LONG));
    // A machine that is so busy that words come more slowly than beats has one in each; the beats of the last ones are shorter.
    expect(answers.flat().length / answers.length).toBeLessThan(Math.max(30, (1.5 * ms) / BEAT_MS));
  });

  test('do not, where there are few: then each word comes by itself', async () => {
    // So slow that a busy machine, too, has read each word before the next one.
    const { answers } = await pieces(2, 50);
    expect(answers.map((answer) => answer.join(''))).toEqual([LONG, LONG]);
    expect(answers.flat().length / answers.length).toBeGreaterThan(40);
  });
});

describe('what a client asks for', () => {
  test('reaches the model: messages in parts, tools and sampling, and nothing that the router decides', async () => {
    const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } } as const;
    const body = {
      model: 'sim/echo',
      messages: [
        { role: 'developer', content: 'Be brief' },
        { role: 'user', content: [{ type: 'text', text: 'What is this?' }, image] },
      ],
      max_completion_tokens: 64,
      temperature: 0.2,
      seed: 7,
      stop: ['\n'],
      response_format: { type: 'json_object' },
      // Not ours to pass on: they would go round the router, or charge for what nobody counts.
      models: ['openai/o1-pro'],
      provider: { only: ['x'] },
      plugins: [{ id: 'web' }],
      route: 'fallback',
      user: 'somebody',
      unheard_of: true,
      logprobs: null,
    } as const;
    const { status, body: answer } = await user.call('POST', '/v1/chat/completions', body);
    expect([status, answer.choices[0].message.content]).toEqual([200, 'What is this?']);
    const { fields, messages } = lastCall();
    expect(messages.map(({ role }) => role)).toEqual(['system', 'user']);
    expect(fields).toEqual({
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: 64,
      temperature: 0.2,
      seed: 7,
      stop: ['\n'],
      response_format: { type: 'json_object' },
    });
  });

  test('left out, is the model’s own default, but for the longest answer', async () => {
    await user.call('POST', '/v1/chat/completions', { ...asking('sim/echo'), max_tokens: 999_999, temperature: null });
    expect(lastCall().fields).toEqual({ stream: true, stream_options: { include_usage: true }, max_tokens: 1024 });
  });

  test('a picture of megabytes passes, and the longest conversation is not the longest message', async () => {
    const url = `data:image/png;base64,${'A'.repeat(4_000_000)}`;
    const content = [
      { type: 'text' as const, text: 'x'.repeat(20_000) },
      { type: 'image_url' as const, image_url: { url } },
    ];
    await client.chat.completions.create({ model: 'sim/echo', messages: [{ role: 'user', content }] });
    expect(lastCall().messages[0]!.content).toHaveLength(20_000);
  });
});

describe('the models', () => {
  test('are those in rotation, and the router’s own names', async () => {
    const { data } = await client.models.list();
    expect(data.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['auto', 'auto:fast', 'auto:cheap', 'sim/words:3', 'sim/echo']),
    );
    expect(data[0]).toEqual({ id: 'auto', object: 'model', created: expect.any(Number), owned_by: 'parley' });
    expect(data.at(-1)).toMatchObject({ owned_by: 'sim' });
  });

  test('are found one by one, with a slash in their ids however it is written', async () => {
    expect(await client.models.retrieve('sim/words:3')).toMatchObject({ id: 'sim/words:3', object: 'model' });
    expect((await user.call('GET', '/v1/models/sim/words:3')).body).toMatchObject({ id: 'sim/words:3' });
    const error = await rejectionOf(client.models.retrieve('sim/other'));
    expect(error).toBeInstanceOf(OpenAI.NotFoundError);
    expect(error).toMatchObject({ status: 404, code: 'model_not_found', param: 'model' });
  });

  test('may be chosen by the router', async () => {
    for (const model of ['auto', 'auto:fast', 'auto:cheap', 'sim/echo,sim/words:3']) {
      const { model: answered } = await client.chat.completions.create(asking(model));
      expect(answered).toMatch(/^sim\//);
    }
  });
});
