import { describe, expect, test } from '@jest/globals';
import { createAnswer } from '../../src/services/llm/answer.ts';
import { readChunk, readUsage } from '../../src/services/llm/chunk.ts';
import type { LlmPart } from '../../src/services/llm/provider.ts';
import { createSseParser } from '../../src/services/llm/sseParser.ts';

const chunk = (choice: unknown, rest: object = {}): object => ({ choices: [choice], ...rest });

describe('one chunk of an answer', () => {
  test.each<[string, unknown, object]>([
    ['a delta', chunk({ index: 0, delta: { role: 'assistant', content: 'Hi' }, finish_reason: null }), { text: 'Hi' }],
    ['the role only', chunk({ delta: { role: 'assistant', content: '' } }), { text: null, finishReason: null }],
    ['content in parts', chunk({ delta: { content: [{ type: 'text', text: 'a' }, { text: 'b' }] } }), { text: 'ab' }],
    ['content that is no text', chunk({ delta: { content: 7 } }), { text: null }],
    ['OpenRouter’s reasoning', chunk({ delta: { content: '', reasoning: 'hm' } }), { reasoning: 'hm', text: null }],
    ['DeepSeek’s reasoning', chunk({ delta: { reasoning_content: 'hm' } }), { reasoning: 'hm' }],
    [
      'fragments of tool calls',
      chunk({ delta: { tool_calls: [{ index: 1, function: { arguments: '{"a' } }] } }),
      { text: null, toolCalls: [{ index: 1, function: { arguments: '{"a' } }] },
    ],
    ['a refusal', chunk({ delta: { content: null, refusal: 'No' } }), { text: null, refusal: 'No', extra: null }],
    [
      'details of a thought',
      chunk({ delta: { reasoning_details: [{ type: 'reasoning.encrypted' }] } }),
      { reasoning: null, details: [{ type: 'reasoning.encrypted' }] },
    ],
    [
      'a picture, which is an answer',
      chunk({ delta: { images: [{ type: 'image_url' }] } }),
      { extra: { type: 'extra', delta: { images: [{ type: 'image_url' }] }, logprobs: null, hasContent: true } },
    ],
    [
      'what is only about an answer',
      chunk({ delta: { annotations: [{ type: 'x' }] }, logprobs: { content: [{ token: 'a' }] } }),
      {
        extra: { delta: { annotations: [{ type: 'x' }] }, logprobs: { content: [{ token: 'a' }] }, hasContent: false },
      },
    ],
    [
      'fields of these names with nothing in them',
      chunk({
        message: { content: 'Hi', refusal: null, annotations: [], images: [], reasoning_details: [] },
        logprobs: { content: null, refusal: null },
      }),
      { refusal: null, details: null, extra: null },
    ],
    ['no tool calls', chunk({ delta: { content: 'Hi', tool_calls: [] } }), { text: 'Hi', toolCalls: null }],
    [
      'an unstreamed answer’s tool calls',
      chunk({ message: { content: null, tool_calls: [{ id: 'a' }, { id: 'b' }] }, finish_reason: 'tool_calls' }),
      {
        toolCalls: [
          { index: 0, id: 'a' },
          { index: 1, id: 'b' },
        ],
        finishReason: 'tool_calls',
      },
    ],
    [
      'an unstreamed answer',
      chunk({ message: { content: 'Hi' }, finish_reason: 'stop' }),
      { text: 'Hi', finishReason: 'stop' },
    ],
    ['no choice', { choices: [] }, { text: null, finishReason: null, error: null }],
    ['choices that are none', { choices: 'x' }, { text: null, error: null }],
    ['a null choice', { choices: [null] }, { text: null, error: null }],
    [
      'an error on top',
      chunk({ delta: {}, finish_reason: 'error' }, { error: { code: 502 } }),
      { error: { code: 502 } },
    ],
    ['the choice’s own error', chunk({ error: { code: 1 }, finish_reason: 'error' }), { error: { code: 1 } }],
    ['the finish reason error alone', chunk({ finish_reason: 'error' }), { error: {} }],
    ['a null error', { choices: [], error: null }, { error: null }],
  ])('%s', (_case, json, expected) => {
    expect(readChunk(json)).toMatchObject(expected);
  });

  test.each([
    ['stop', 'stop'],
    ['length', 'length'],
    ['MAX_TOKENS', 'length'],
    ['tool_calls', 'tool_calls'],
    ['content_filter', 'content_filter'],
    ['end_turn', 'stop'],
    ['', null],
    [null, null],
  ])('the finish reason %j means %j', (reason, expected) => {
    expect(readChunk(chunk({ delta: {}, finish_reason: reason }))?.finishReason).toBe(expected);
  });

  test.each([[null], ['text'], [7], [[]]])('%j is no chunk', (json) => {
    expect(readChunk(json)).toBeNull();
  });
});

describe('the books', () => {
  test('OpenRouter’s usage, with its cost in millionths of a dollar', () => {
    const usage = {
      prompt_tokens: 10,
      completion_tokens: 20,
      total_tokens: 30,
      cost: 0.00012345,
      prompt_tokens_details: { cached_tokens: 4 },
      completion_tokens_details: { reasoning_tokens: 5 },
    };
    expect(readUsage(usage)).toEqual({
      promptTokens: 10,
      completionTokens: 20,
      totalTokens: 30,
      cachedTokens: 4,
      reasoningTokens: 5,
      costMicroUsd: 123,
    });
  });

  test('what is missing is left out, what is impossible is not believed', () => {
    expect(readUsage({ prompt_tokens: 1, completion_tokens: 2 })).toEqual({
      promptTokens: 1,
      completionTokens: 2,
      totalTokens: 3,
    });
    expect(readUsage({ prompt_tokens: -1, completion_tokens: 2.5 })).toBeNull();
    expect(readUsage({ prompt_tokens: 1, cost: -1, prompt_tokens_details: null })).not.toHaveProperty('costMicroUsd');
    expect(readUsage(null)).toBeNull();
    expect(readUsage({})).toBeNull();
  });
});

interface Heard {
  readonly parts: LlmPart[];
  readonly error: unknown;
}

const quiet = { onToken: () => undefined, generationId: null };

const hear = (events: readonly (object | string)[]): Heard => {
  const parts: LlmPart[] = [];
  const answer = createAnswer({ emit: (part) => parts.push(part), toError: () => new Error('in band'), ...quiet });
  try {
    for (const event of events)
      answer.accept({ event: null, data: typeof event === 'string' ? event : JSON.stringify(event) });
    answer.end();
    return { parts, error: null };
  } catch (error) {
    return { parts, error };
  }
};
const delta = (content: string): object => chunk({ delta: { content } });
const finish = chunk({ delta: { content: '' }, finish_reason: 'stop' });
const usage = (total: number): object => ({ choices: [], usage: { prompt_tokens: total, completion_tokens: 0 } });
const textOf = (parts: LlmPart[]): string => parts.map((part) => (part.type === 'delta' ? part.text : '')).join('');

describe('a whole answer', () => {
  test('the last usage counts, and the finish comes last', () => {
    const { parts } = hear([delta('a'), usage(1), finish, usage(2), '[DONE]', delta('after the end')]);
    expect(parts).toEqual([
      { type: 'delta', text: 'a' },
      { type: 'usage', usage: { promptTokens: 2, completionTokens: 0, totalTokens: 2 } },
      { type: 'finish', reason: 'stop' },
    ]);
  });

  test('a second finish reason changes nothing', () => {
    expect(hear([delta('a'), finish, chunk({ finish_reason: 'length' })]).parts.at(-1)).toEqual({
      type: 'finish',
      reason: 'stop',
    });
  });

  test.each<[string, (object | string)[]]>([
    ['nothing at all', []],
    ['[DONE] alone', ['[DONE]']],
    ['text without a finish reason', [delta('a'), '[DONE]']],
    ['garbage first', ['{"cho', delta('a'), finish]],
    ['garbage four times', [delta('a'), '{', '{', '{', '{', finish]],
  ])('%s is no answer', (_case, events) => {
    expect(hear(events).error).toMatchObject({ name: 'ProviderError', kind: 'invalid' });
  });

  test('three frames of garbage later on are skipped', () => {
    expect(hear([delta('a'), '{', 'x', '[]', delta('b'), finish])).toMatchObject({
      error: null,
      parts: [{ text: 'a' }, { text: 'b' }, {}],
    });
  });

  test('what was known of its origin and its books before an error is kept by breakOff', () => {
    const parts: LlmPart[] = [];
    const emit = (part: LlmPart): number => parts.push(part);
    const answer = createAnswer({ ...quiet, emit, toError: () => new Error('in band'), generationId: 'gen-1' });
    answer.accept({ event: null, data: JSON.stringify(usage(3)) });
    answer.breakOff();
    answer.breakOff();
    expect(parts).toMatchObject([{ type: 'origin', generationId: 'gen-1', provider: null }, { type: 'usage' }]);
  });

  test('its origin is told once, before the first token, by what knows it', () => {
    const role = chunk({ delta: { role: 'assistant', content: '' } }, { id: 'gen-2' });
    const named = chunk({ delta: { content: 'a' } }, { id: 'gen-2', provider: 'Groq' });
    expect(hear([role, named, named, finish]).parts.slice(0, 3)).toEqual([
      { type: 'origin', generationId: 'gen-2', provider: 'Groq' },
      { type: 'delta', text: 'a' },
      { type: 'delta', text: 'a' },
    ]);
  });

  test('tool calls pass as they came, in their place between the texts', () => {
    const call = { index: 0, id: 'call-1', type: 'function', function: { name: 'f', arguments: '{}' } };
    const { parts } = hear([
      delta('a'),
      chunk({ delta: { tool_calls: [call] } }),
      chunk({ finish_reason: 'tool_calls' }),
    ]);
    expect(parts).toEqual([
      { type: 'delta', text: 'a' },
      { type: 'tool_calls', calls: [call] },
      { type: 'finish', reason: 'tool_calls' },
    ]);
  });

  test('a surrogate pair split over two chunks arrives whole', () => {
    const { parts } = hear([delta('a\ud83d'), delta('\ude42b'), finish]);
    expect(parts.slice(0, 2)).toEqual([
      { type: 'delta', text: 'a' },
      { type: 'delta', text: '🙂b' },
    ]);
  });

  test('a refusal’s too', () => {
    const refused = (refusal: string) => chunk({ delta: { refusal } });
    expect(hear([refused('a\ud83d'), refused('\ude42b\ud83d'), finish]).parts.slice(0, 3)).toEqual([
      { type: 'refusal', text: 'a' },
      { type: 'refusal', text: '🙂b' },
      { type: 'refusal', text: '\uFFFD' },
    ]);
  });

  test('half a surrogate pair becomes U+FFFD', () => {
    expect(textOf(hear([delta('a\ude42b\ud83d'), finish]).parts)).toBe('a\uFFFDb\uFFFD');
  });

  test('cut at every byte of the stream, then the parts are the same', () => {
    const frames = [
      ': PROCESSING\r\n\r\n',
      ...[delta('Grüße 👩‍👧'), delta('\ud83d'), delta('\ude42'), finish, usage(2)].map(
        (json) => `data: ${JSON.stringify(json)}\n\n`,
      ),
      'data: [DONE]\n\n',
    ];
    const bytes = Buffer.from(frames.join(''));
    const read = (...chunks: Buffer[]): LlmPart[] => {
      const parts: LlmPart[] = [];
      const answer = createAnswer({ emit: (part) => parts.push(part), toError: () => new Error('in band'), ...quiet });
      const parser = createSseParser({ onEvent: (event) => answer.accept(event) });
      for (const bytesRead of chunks) parser.push(bytesRead);
      parser.end();
      answer.end();
      return parts;
    };
    const whole = read(bytes);
    expect(textOf(whole)).toBe('Grüße 👩‍👧🙂');
    for (let at = 0; at <= bytes.length; at += 1)
      expect(read(bytes.subarray(0, at), bytes.subarray(at))).toEqual(whole);
  });
});
