import { describe, expect, test } from '@jest/globals';
import type { Actor } from '../../src/services/auth/actor.ts';
import { createCompletions, type CompletionRequest } from '../../src/services/completions/index.ts';
import { promptUnitsOf } from '../../src/services/completions/promptUnits.ts';
import type { RoutedPart, RoutedRequest } from '../../src/services/llm/index.ts';

const ACTOR: Actor = {
  userId: 'u',
  ownerId: 'u',
  role: 'user',
  scopes: ['chat'],
  loginId: 'l',
  keyId: null,
  via: 'bearer',
  expiresAt: null,
};
const REQUEST: CompletionRequest = {
  model: 'm',
  conversation: 'c',
  messages: [{ role: 'user', content: 'Hi' }],
  temperature: null,
  maxTokens: null,
  extra: {},
};

type Stream = (request: RoutedRequest, signal: AbortSignal) => AsyncGenerator<RoutedPart>;

/** The service over a router that streams as told, and what the books were told. */
const start = (stream: Stream) => {
  const books = { opened: [] as unknown[], answered: '', closed: 0 };
  const completions = createCompletions({
    router: { stream, hasModel: (model) => model === 'm' },
    usage: {
      openCompletion: async (_actor, needs) => {
        books.opened.push(needs);
        return {
          onAttempt: () => undefined,
          answered: (text) => (books.answered += text),
          close: () => (books.closed += 1),
        };
      },
    },
    maxOutputTokens: 100,
    isClosing: () => false,
  });
  const controller = new AbortController();
  const parts: RoutedPart[] = [];
  const run = (
    request: Partial<CompletionRequest> = {},
    take = (part: RoutedPart) => void parts.push(part),
    isWhole = false,
  ) => completions.run(ACTOR, { ...REQUEST, ...request }, { signal: controller.signal, take, isWhole });
  return { books, completions, controller, parts, run };
};

const delta = (text: string): RoutedPart => ({ type: 'delta', text });

describe('a completion', () => {
  test.each([
    [null, 100],
    [7, 7],
    [500, 100],
  ])('that wants %p tokens is given %p', async (maxTokens, given) => {
    const asked: RoutedRequest[] = [];
    const { books, run } = start(async function* (request) {
      asked.push(request);
      yield delta('Hello');
    });
    await run({ maxTokens });
    expect(asked[0]).toMatchObject({ maxTokens: given, temperature: null, chatId: 'c' });
    expect(books).toEqual({ opened: [{ promptUnits: 2, maxTokens: given }], answered: 'Hello', closed: 1 });
  });

  test('tells what its models used together, when one went on where another broke off', async () => {
    const { parts, run } = start(async function* () {
      yield delta('Hel');
      yield { type: 'usage', usage: { promptTokens: 5, completionTokens: 1, totalTokens: 6, costMicroUsd: 10 } };
      yield { type: 'model', model: 'n', reason: 'network' };
      yield delta('lo');
      yield { type: 'usage', usage: { promptTokens: 7, completionTokens: 2, totalTokens: 9, cachedTokens: 3 } };
      yield { type: 'finish', reason: 'stop' };
    });
    await run();
    expect(parts.findLast(({ type }) => type === 'usage')).toEqual({
      type: 'usage',
      usage: { promptTokens: 12, completionTokens: 3, totalTokens: 15, cachedTokens: 3, costMicroUsd: 10 },
    });
  });

  test('whose model did not tell what it used is given a guess, right before the end', async () => {
    const { parts, run } = start(async function* () {
      yield delta('twelve units');
      yield { type: 'finish', reason: 'stop' };
    });
    await run();
    expect(parts.slice(1)).toEqual([
      { type: 'usage', usage: { promptTokens: 1, completionTokens: 3, totalTokens: 4, estimated: true } },
      { type: 'finish', reason: 'stop' },
    ]);
  });

  test('begun anew tells what its last model used, and has all that was written in the books', async () => {
    const asked: RoutedRequest[] = [];
    const long = 'x'.repeat(3 * 1024 * 1024);
    const { books, parts, run } = start(async function* (request) {
      asked.push(request);
      yield delta(long);
      yield { type: 'usage', usage: { promptTokens: 5, completionTokens: 1, totalTokens: 6, costMicroUsd: 10 } };
      yield { type: 'restart' };
      yield { type: 'model', model: 'n', reason: 'network' };
      yield delta(long);
      yield { type: 'usage', usage: { promptTokens: 7, completionTokens: 2, totalTokens: 9 } };
      yield { type: 'finish', reason: 'stop' };
    });
    await run({}, undefined, true);
    expect(asked[0]).toMatchObject({ isWhole: true });
    expect(parts.findLast(({ type }) => type === 'usage')).toEqual({
      type: 'usage',
      usage: { promptTokens: 7, completionTokens: 2, totalTokens: 9 },
    });
    expect(books.answered.length).toBe(2 * long.length);
  });

  test('of an unknown model reserves nothing', async () => {
    const { books, run } = start(async function* () {
      yield delta('never');
    });
    await expect(run({ model: 'x' })).rejects.toMatchObject({ code: 'MODEL_NOT_AVAILABLE' });
    expect(books.opened).toEqual([]);
  });

  test('without an end is ended, and its model let go', async () => {
    let isLeft = false;
    const { books, run } = start(async function* () {
      try {
        for (;;) yield delta('x'.repeat(1024 * 1024));
      } finally {
        isLeft = true;
      }
    });
    await expect(run()).rejects.toMatchObject({ code: 'LLM_FAILED' });
    expect([isLeft, books.closed]).toEqual([true, 1]);
  });

  test('whose sink is full asks for nothing before there is room', async () => {
    let yielded = 0;
    const { run } = start(async function* () {
      for (; yielded < 5; yielded += 1) yield delta('x');
    });
    const room = Promise.withResolvers<undefined>();
    let taken = 0;
    const ended = run({}, () => ((taken += 1) === 1 ? room.promise : undefined) as never);
    await new Promise((resolve) => setImmediate(resolve));
    expect([taken, yielded]).toEqual([1, 0]);
    room.resolve(undefined);
    await ended;
    expect(taken).toBe(5);
  });

  test('may finish when the server closes, and is ended when it does not', async () => {
    const asked = Promise.withResolvers<undefined>();
    const { books, completions, run } = start(async function* (_request, signal) {
      yield delta('a');
      asked.resolve(undefined);
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    });
    const ended = run();
    await asked.promise;
    const closed = completions.close(20);
    await expect(ended).rejects.toMatchObject({ code: 'SHUTTING_DOWN', retryAfterMs: 1000 });
    await closed;
    expect(books.closed).toBe(1);
    await completions.close(60_000);
  });
});

describe('what a conversation counts as', () => {
  test('is its texts, and a flat rate for a picture however large', () => {
    const picture = { type: 'image_url', image_url: { url: 'A'.repeat(1_000_000) } };
    const text = { type: 'text', text: 'x'.repeat(100) };
    const alone = promptUnitsOf([{ role: 'user', content: [text] }]);
    expect(alone).toBeGreaterThanOrEqual(100);
    expect(promptUnitsOf([{ role: 'user', content: [text, picture] }]) - alone).toBe(4000);
    expect(
      promptUnitsOf([
        { role: 'user', content: 'four' },
        { role: 'assistant', content: null },
      ]),
    ).toBe(4);
  });
});
