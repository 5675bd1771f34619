import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ChatCompletionChunk } from 'openai/resources/chat/completions';
import { asking, openAiClient } from '../support/openai.ts';
import { ends, says, startScriptedLlm, USED, type ScriptedLlm } from '../support/scriptedLlm.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

const call = (fields: object) => ({ tool_calls: [{ index: 0, ...fields }] });
const BROKEN = says({ content: '' }, { finish_reason: 'error', error: { code: 502, message: 'x' } });
const LOGPROB = { token: 'Yes', logprob: -0.1, bytes: null, top_logprobs: [] };
const IMAGE = { type: 'image_url', image_url: { url: 'data:image/png;base64,AA' } };
const CITATION = { type: 'url_citation', url_citation: { url: 'http://x', title: 't', start_index: 0, end_index: 3 } };
/** More than what a continued answer is recognised by. */
const TEN = 'one two three four five six seven eight nine ten';
const THOUGHT = { type: 'reasoning.text', index: 0 };

/** The first of a pair fails, the second does better. A pair that nobody has asked yet is asked in this order. */
const pairs = (names: readonly string[], first: readonly object[], second: readonly object[]) =>
  Object.fromEntries(names.flatMap((name) => [[`${name}/first`, first] as const, [`${name}/second`, second] as const]));
const pairOf = (name: string): string => `${name}/first,${name}/second`;

const SCRIPT: Readonly<Record<string, readonly object[]>> = {
  'f/custom': [
    says({
      role: 'assistant',
      content: null,
      ...call({ id: 'c1', type: 'custom', custom: { name: 'run', input: '' } }),
    }),
    says(call({ custom: { input: 'ha' } })),
    says(call({ custom: { input: 'ha' } })),
    ends('tool_calls'),
    USED,
  ],
  'f/signed': [
    says({
      ...call({
        id: 'c1',
        type: 'function',
        function: { name: 'get', arguments: '{"a"' },
        extra_content: { google: { thought_signature: 'SIG' } },
      }),
      reasoning_details: [{ type: 'reasoning.encrypted', data: 'XX', id: 'r1', index: 0 }],
    }),
    says({
      tool_calls: [
        { index: 0, id: 'c1', function: { arguments: ':1}' } },
        { index: 1, id: 'c2', type: 'function', function: { name: 'put' } },
      ],
    }),
    ends('tool_calls'),
    USED,
  ],
  'f/unnumbered': [
    says(call({ id: 'c1', type: 'function', function: { name: 'a', arguments: '{}' } })),
    says(call({ id: 'c2', type: 'function', function: { name: 'b', arguments: '{}' } })),
    ends('tool_calls'),
    USED,
  ],
  'f/details': [
    says({ reasoning: 'Let ', reasoning_details: [{ ...THOUGHT, text: 'Let ' }] }),
    says({ reasoning: 'me', reasoning_details: [{ ...THOUGHT, text: 'me' }] }),
    says({ reasoning_details: [{ ...THOUGHT, signature: 'S1' }] }),
    says({ content: 'Yes' }),
    ends('stop'),
    USED,
  ],
  'f/refusal': [
    says({ role: 'assistant', content: '', refusal: 'I cannot' }),
    says({ refusal: ' do \ud83d' }),
    says({ refusal: '\ude00' }),
    ends('stop'),
    USED,
  ],
  'f/thoughts': [says({ reasoning: 'only thoughts' }), ends('length'), USED],
  'f/hidden': [says({ content: '' }), ends('length'), USED],
  'f/blank': [says({ content: ' \n' }), ends('stop'), USED],
  'f/about': [
    says({ annotations: [CITATION] }, { logprobs: { content: [LOGPROB], refusal: null } }),
    ends('stop'),
    USED,
  ],
  'f/image': [says({ role: 'assistant', content: '' }), says({ images: [IMAGE] }), ends('stop'), USED],
  'f/cited': [
    says({ content: 'Yes' }, { logprobs: { content: [LOGPROB], refusal: null } }),
    says({ content: 'Yes' }, { logprobs: { content: [LOGPROB], refusal: null } }),
    says({ content: 'Yes' }, { logprobs: { content: [LOGPROB], refusal: null } }),
    says({ annotations: [CITATION] }),
    ends('stop'),
    USED,
  ],
  'f/unbooked': [says({ content: 'Yes indeed' }), ends('stop')],
  ...pairs(
    ['plain', 'stream', 'native'],
    [says({ reasoning: 'BAD', reasoning_details: [{ ...THOUGHT, text: 'BAD' }] }), BROKEN],
    [
      says({ reasoning: 'good', reasoning_details: [{ ...THOUGHT, text: 'good' }] }),
      says({ reasoning: ' one', reasoning_details: [{ ...THOUGHT, text: ' one' }] }),
      says({ content: 'fine' }),
      ends('stop'),
      USED,
    ],
  ),
  ...pairs(
    ['onward', 'left', 'cut', 'kept'],
    [says({ content: TEN }), BROKEN],
    [says({ content: `${TEN} eleven` }), ends('stop'), USED],
  ),
};

let llm: ScriptedLlm;
let world: World;
let user: TestUser;

beforeAll(async () => {
  llm = await startScriptedLlm(SCRIPT);
  world = await startWorld({ models: Object.keys(SCRIPT), env: { OPENROUTER_BASE_URL: llm.baseUrl } });
  user = await world.signUp();
});
afterAll(async () => {
  await world.stop();
  await llm.close();
});

const plain = async (model: string, more: object = {}) => {
  const { status, headers, body } = await user.call('POST', '/v1/chat/completions', { ...asking(model), ...more });
  return { status, headers, body, choice: body.choices?.[0], message: body.choices?.[0]?.message };
};

interface Frame {
  readonly model: string;
  readonly error?: { readonly code: string };
  readonly usage?: object;
  readonly choices: readonly {
    readonly delta: Record<string, unknown>;
    logprobs: unknown;
    finish_reason: string | null;
  }[];
}

const streamed = async (model: string, more: object = {}, { url, accessToken } = user) => {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${accessToken}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ ...asking(model), stream: true, ...more }),
  });
  const text = await response.text();
  const frames = text
    .split('\n\n')
    .filter((frame) => frame.startsWith('data: {'))
    .map((frame) => JSON.parse(frame.slice('data: '.length)) as Frame);
  const deltas = frames.flatMap(({ choices = [] }) => choices.map(({ delta }) => delta));
  return {
    status: response.status,
    headers: response.headers,
    frames,
    deltas,
    text: (field: string): string =>
      deltas.flatMap(({ [field]: value }) => (typeof value === 'string' ? [value] : [])).join(''),
    all: (field: string) => deltas.flatMap((delta) => (delta[field] === undefined ? [] : [delta[field]])),
    reason: frames.flatMap(({ choices = [] }) => choices.map(({ finish_reason: reason }) => reason)).findLast(Boolean),
  };
};

const stateOf = async (model: string) => {
  const { body } = await user.call('GET', '/api/models');
  return (body.items as { id: string; state: string; failures: number }[]).find(({ id }) => id === model);
};
const natively = (model: string) => user.call('POST', '/api/chat/message', { content: 'Hi', model });

describe('tool calls in one piece', () => {
  test('of the type custom have their name and their input', async () => {
    const { message } = await plain('f/custom');
    expect(message.tool_calls).toEqual([{ id: 'c1', type: 'custom', custom: { name: 'run', input: 'haha' } }]);
  });

  test('keep what nobody here knows, and each its own pieces', async () => {
    const { message } = await plain('f/signed');
    expect(message.tool_calls).toEqual([
      {
        id: 'c1',
        type: 'function',
        function: { name: 'get', arguments: '{"a":1}' },
        extra_content: { google: { thought_signature: 'SIG' } },
      },
      { id: 'c2', type: 'function', function: { name: 'put', arguments: '' } },
    ]);
    expect(message.reasoning_details).toEqual([{ type: 'reasoning.encrypted', data: 'XX', id: 'r1', index: 0 }]);
  });

  test('that an endpoint gives one number are told apart by id and name', async () => {
    const { message } = await plain('f/unnumbered');
    expect(message.tool_calls).toEqual(
      ['a', 'b'].map((name, index) => ({
        id: `c${String(index + 1)}`,
        type: 'function',
        function: { name, arguments: '{}' },
      })),
    );
  });
});

describe('the details of a thought', () => {
  test('are put together in one piece', async () => {
    const { message } = await plain('f/details');
    expect(message).toMatchObject({
      reasoning: 'Let me',
      reasoning_details: [{ type: 'reasoning.text', index: 0, text: 'Let me', signature: 'S1' }],
    });
  });

  test('come in a stream with the text of theirs', async () => {
    const { deltas } = await streamed('f/details');
    const thoughts = deltas.filter((delta) => delta.reasoning_details !== undefined);
    expect(thoughts.map(({ reasoning }) => reasoning)).toEqual(['Let ', 'me', undefined]);
    expect(thoughts.flatMap((delta) => delta.reasoning_details)).toEqual([
      { ...THOUGHT, text: 'Let ' },
      { ...THOUGHT, text: 'me' },
      { ...THOUGHT, signature: 'S1' },
    ]);
  });
});

describe('a refusal in the model’s own words', () => {
  test('is the answer in one piece, and in a stream, and no failure of the model', async () => {
    expect((await plain('f/refusal')).choice).toMatchObject({
      message: { content: null, refusal: 'I cannot do 😀' },
      finish_reason: 'stop',
    });
    const { text, reason } = await streamed('f/refusal');
    expect([text('refusal'), reason]).toEqual(['I cannot do 😀', 'stop']);
    const { chat, message } = (await natively('f/refusal')).body;
    expect(message).toMatchObject({ status: 'complete', content: 'I cannot do 😀' });
    expect(chat.lastMessagePreview).toContain('I cannot');
    expect(await stateOf('f/refusal')).toMatchObject({ state: 'healthy', failures: 0 });
  });

  test('may stand in the conversation that goes on', async () => {
    const refused = { role: 'assistant', content: null, refusal: 'I cannot' };
    const messages = [...asking('x').messages, refused, { role: 'user', content: 'Why?' }];
    expect((await plain('f/cited', { messages })).status).toBe(200);
    expect(llm.asked.at(-1)?.messages).toEqual(messages);
  });
});

describe('an answer that its length ends before it begins', () => {
  test.each([
    ['f/thoughts', 'only thoughts'],
    ['f/hidden', undefined],
  ])('(%s) is complete and empty, however often, and no failure of the model', async (model, reasoning) => {
    for (let time = 0; time < 4; time += 1) {
      const { status, choice, body } = await plain(model, { max_tokens: 16 });
      expect([status, choice.finish_reason, choice.message.content]).toEqual([200, 'length', '']);
      expect([choice.message.reasoning, body.usage.completion_tokens]).toEqual([reasoning, 7]);
    }
    const { status, reason, text } = await streamed(model, { max_tokens: 16 });
    expect([status, reason, text('content')]).toEqual([200, 'length', '']);
    const { status: answered, body } = await natively(model);
    expect([answered, body.message]).toMatchObject([200, { status: 'complete', content: '', finishReason: 'length' }]);
    expect(await stateOf(model)).toMatchObject({ state: 'healthy', failures: 0 });
  });

  test.each(['f/blank', 'f/about'])('is a failure where nothing but the end was said (%s)', async (model) => {
    expect(await plain(model)).toMatchObject({ status: 502, body: { error: { code: 'bad_gateway' } } });
    expect((await streamed(model)).status).toBe(502);
    expect(await stateOf(model)).toMatchObject({ failures: 2 });
  });
});

describe('what an answer has besides text', () => {
  test('are pictures, which are an answer where there is no text', async () => {
    expect((await plain('f/image', { modalities: ['image', 'text'] })).message).toEqual({
      role: 'assistant',
      content: '',
      refusal: null,
      images: [IMAGE],
    });
    expect(llm.asked.at(-1)?.modalities).toEqual(['image', 'text']);
    expect((await streamed('f/image')).all('images')).toEqual([[IMAGE]]);
    const { status, body } = await natively('f/image');
    expect([status, body.code]).toEqual([502, 'LLM_FAILED']);
    expect(await stateOf('f/image')).toMatchObject({ state: 'healthy', failures: 0 });
  });

  test('are citations and log probabilities, as often as they come', async () => {
    const wanted = { logprobs: true, top_logprobs: 0 };
    const { choice } = await plain('f/cited', wanted);
    expect(llm.asked.at(-1)).toMatchObject(wanted);
    expect(choice).toMatchObject({
      message: { content: 'YesYesYes', annotations: [CITATION] },
      logprobs: { content: [LOGPROB, LOGPROB, LOGPROB] },
    });
    const { frames, all, text } = await streamed('f/cited', wanted);
    const probabilities = frames.flatMap(({ choices }) => choices.flatMap(({ logprobs }) => logprobs ?? []));
    expect([text('content'), probabilities.length, all('annotations')]).toEqual(['YesYesYes', 3, [[CITATION]]]);
  });

  test('is understood by the official client', async () => {
    const { choices } = await openAiClient(user)
      .chat.completions.stream({ ...asking('f/cited'), logprobs: true })
      .finalChatCompletion();
    expect(choices[0]).toMatchObject({
      message: { content: 'YesYesYes' },
      logprobs: { content: [LOGPROB, LOGPROB, LOGPROB] },
    });
    const refused = await openAiClient(user).chat.completions.stream(asking('f/refusal')).finalChatCompletion();
    expect(refused.choices[0]!.message.refusal).toBe('I cannot do 😀');
  });
});

describe('thoughts of a model that then fails', () => {
  test('are none of an answer in one piece', async () => {
    const { message, headers, body } = await plain(pairOf('plain'));
    expect(message).toEqual({
      role: 'assistant',
      content: 'fine',
      refusal: null,
      reasoning: 'good one',
      reasoning_content: 'good one',
      reasoning_details: [{ ...THOUGHT, text: 'good one' }],
    });
    expect(body.model).toBe('plain/second');
    expect(headers.get('x-router-model')).toBe('plain/second');
  });

  test('stand apart from the next model’s in a stream, and whose each is, is said', async () => {
    const { frames, all, text } = await streamed(pairOf('stream'));
    expect(text('reasoning')).toBe('BAD\n\n---\n\ngood one');
    expect(all('reasoning_content')).toEqual(all('reasoning'));
    expect(text('content')).toBe('fine');
    expect(all('reasoning_details').flat()).toEqual([
      { ...THOUGHT, text: 'BAD' },
      { ...THOUGHT, index: 1, text: 'good' },
      { ...THOUGHT, index: 1, text: ' one' },
    ]);
    const writers = frames.flatMap(({ model, choices }) =>
      choices.flatMap(({ delta }) => (delta.reasoning === undefined ? [] : [[model, delta.reasoning]])),
    );
    expect(writers[0]).toEqual(['stream/first', 'BAD']);
    expect(new Set(writers.slice(1).map(([model]) => model))).toEqual(new Set(['stream/second']));
  });

  test('are told apart by a switch at the native doors', async () => {
    const events = await user.stream('/api/chat/message', { content: 'Hi', model: pairOf('native'), stream: true });
    const told = events.flatMap(({ event, data }) => {
      if (event === 'switch') return [`${String(data.from)} > ${String(data.to)}`];
      return event === 'reasoning' || event === 'delta' ? [String(data.text)] : [];
    });
    expect(told.join('|').replace('good| one', 'good one')).toBe('BAD|native/first > native/second|good one|fine');
  });

  test('are no reason for a rule where nobody failed', async () => {
    expect((await streamed('stream/second')).text('reasoning')).toBe('good one');
  });
});

describe('a stream that breaks off', () => {
  test('is continued where the request says so, and not where it does not', async () => {
    const { text, reason } = await streamed(pairOf('onward'), { midStreamFailover: true });
    expect([text('content'), reason]).toEqual([`${TEN} eleven`, 'stop']);
    const { text: left, frames } = await streamed(pairOf('left'));
    expect([left('content'), frames.at(-1)!.error?.code]).toEqual([TEN, expect.any(String)]);
  });

  test('is not continued where the request says so, whatever the server says', async () => {
    const env = { OPENROUTER_BASE_URL: llm.baseUrl, MID_STREAM_FAILOVER: 'true' };
    const other = await startWorld({ models: Object.keys(SCRIPT), env });
    try {
      const someone = await other.signUp();
      const { frames } = await streamed(pairOf('cut'), { midStreamFailover: false }, someone);
      expect(frames.at(-1)!.error).toBeDefined();
      const { text, reason } = await streamed(pairOf('kept'), {}, someone);
      expect([text('content'), reason]).toEqual([`${TEN} eleven`, 'stop']);
    } finally {
      await other.stop();
    }
  });
});

describe('usage that the endpoint did not tell', () => {
  test('is guessed, and called a guess, where it is wanted', async () => {
    const guess = { prompt_tokens: 1, completion_tokens: 3, total_tokens: 4, estimated: true };
    expect((await plain('f/unbooked')).body.usage).toEqual(guess);
    const { frames } = await streamed('f/unbooked', { stream_options: { include_usage: true } });
    expect(frames.at(-1)).toMatchObject({ choices: [], usage: guess });
    const told = await streamed('f/cited', { stream_options: { include_usage: true } });
    expect(told.frames.at(-1)!.usage).toEqual({
      prompt_tokens: 5,
      completion_tokens: 7,
      total_tokens: 12,
      cost: 0.00001,
    } satisfies ChatCompletionChunk['usage'] & { cost: number });
  });
});
