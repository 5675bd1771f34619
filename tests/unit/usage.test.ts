import { describe, expect, test } from '@jest/globals';
import { newId } from '../../src/lib/ids.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { createMetrics } from '../../src/lib/metrics.ts';
import type { Usage, UsageRecord } from '../../src/models/entities.ts';
import { StoreUnavailableError } from '../../src/models/errors.ts';
import type { UsageBatch } from '../../src/models/stores.ts';
import { createAnswerUsage } from '../../src/services/usage/answerUsage.ts';
import { createBooks } from '../../src/services/usage/books.ts';
import { unitsOf } from '../../src/services/usage/guess.ts';
import { createLookup } from '../../src/services/usage/lookup.ts';
import { createRecorder } from '../../src/services/usage/recorder.ts';
import { createReservations } from '../../src/services/usage/reservations.ts';
import { rangeOf } from '../../src/services/usage/range.ts';
import type { AttemptRecord, RoutedPart } from '../../src/services/llm/router.types.ts';

const logger = createLogger({ level: 'error', service: 'test', format: 'json', stream: process.stderr });
const clock = { now: () => Date.UTC(2026, 10, 21, 23, 59) };

const attempt = (changes: Partial<AttemptRecord> = {}): AttemptRecord => ({
  number: 1,
  model: 'maker/model',
  provider: null,
  generationId: null,
  usage: null,
  isCut: false,
  firstTokenMs: 5,
  durationMs: 10,
  chosenBy: 'message',
  outcome: 'complete',
  reason: 'stop',
  ...changes,
});

const tokens = (promptTokens: number, completionTokens: number): Usage => ({
  promptTokens,
  completionTokens,
  totalTokens: promptTokens + completionTokens,
});

describe('the recorder', () => {
  /** Records of one answer whose endpoint answers `findUsage` so; 40 UTF-16 units were sent, 12 answered per call. */
  const recordsOf = async (attempts: readonly AttemptRecord[], findUsage: (id: string) => Promise<Usage | null>) => {
    const written: UsageRecord[] = [];
    const open = new Set<object>();
    const recorder = createRecorder({
      lookup: createLookup({ findUsage, logger, delaysMs: [0, 0] }),
      clock,
      metrics: createMetrics(),
      logger,
      write: (record) => void written.push(record),
      wait: () => {
        const waiting = {};
        open.add(waiting);
        return () => void open.delete(waiting);
      },
    });
    let units = 0;
    const answer = {
      kind: 'completion',
      ownerId: 'o',
      createdBy: 'o',
      id: 'i',
      chatId: null,
      messageId: null,
    } as const;
    const onAttempt = recorder({ ...answer, promptUnits: 40, answerUnits: () => units });
    for (const item of attempts) {
      units += 12;
      onAttempt(item);
    }
    while (open.size > 0) await new Promise((resolve) => setImmediate(resolve));
    return written.map(({ promptTokens, completionTokens, totalTokens, costMicroUsd, estimated }) => ({
      promptTokens,
      completionTokens,
      totalTokens,
      costMicroUsd,
      estimated,
    }));
  };
  const never = () => Promise.resolve(null);
  const nothing = { ...tokens(0, 0), costMicroUsd: 0, estimated: false };

  test('books that the stream told, are written as they are and asked for nowhere', async () => {
    const asked: string[] = [];
    const find = (id: string) => Promise.resolve((asked.push(id), null));
    const told = { ...tokens(3, 4), costMicroUsd: 9 };
    expect(await recordsOf([attempt({ usage: told, generationId: 'gen' })], find)).toEqual([
      { ...told, estimated: false },
    ]);
    expect(asked).toEqual([]);
  });

  test('books that it did not tell, are the endpoint’s own, at the second try too', async () => {
    let tries = 0;
    const find = () => {
      tries += 1;
      return tries === 1 ? Promise.reject(new Error('not yet')) : Promise.resolve({ ...tokens(5, 6), costMicroUsd: 7 });
    };
    const records = await recordsOf([attempt({ generationId: 'gen', outcome: 'cancelled' })], find);
    expect(records).toEqual([{ ...tokens(5, 6), costMicroUsd: 7, estimated: false }]);
  });

  test('books that nobody tells, are a guess by length, of each call its own part of the answer', async () => {
    const guess = { ...tokens(10, 3), costMicroUsd: 0, estimated: true };
    expect(await recordsOf([attempt({ generationId: 'gen' }), attempt({ number: 2 })], never)).toEqual([guess, guess]);
  });

  test('the router’s own guess goes before one by length', async () => {
    const guess = { ...tokens(8, 9), estimated: true };
    expect(await recordsOf([attempt({ usage: guess })], never)).toEqual([{ ...guess, costMicroUsd: 0 }]);
  });

  test('a call without a token costs nothing, unless the endpoint says so', async () => {
    const silent = attempt({ firstTokenMs: null, outcome: 'failed', reason: 'timeout' });
    expect(await recordsOf([silent, { ...silent, generationId: 'gen' }], never)).toEqual([nothing, nothing]);
    const billed = await recordsOf([{ ...silent, generationId: 'gen' }], () => Promise.resolve(tokens(2, 1)));
    expect(billed).toEqual([{ ...nothing, ...tokens(2, 1) }]);
  });

  test('a call that was cut before a token, is a guess of what was sent, unless the endpoint tells', async () => {
    const cut = attempt({ firstTokenMs: null, outcome: 'cancelled', reason: 'aborted', isCut: true });
    const sent = { ...tokens(10, 0), costMicroUsd: 0, estimated: true };
    expect(await recordsOf([cut, { ...cut, generationId: 'gen' }], never)).toEqual([sent, sent]);
    const free = await recordsOf([{ ...cut, generationId: 'gen' }], () => Promise.resolve(tokens(0, 0)));
    expect(free).toEqual([nothing]);
  });

  test('a call without a token, beside one that writes, leaves that one its text', async () => {
    const cut = attempt({ firstTokenMs: null, outcome: 'cancelled', reason: 'hedged', isCut: true });
    const [, other] = await recordsOf([cut, attempt({ number: 2 })], never);
    expect(other).toEqual({ ...tokens(10, 6), costMicroUsd: 0, estimated: true });
  });
});

describe('the usage of an answer', () => {
  const from = (parts: readonly RoutedPart[]): Usage | null => {
    const usage = createAnswerUsage(40);
    for (const part of parts) usage.add(part);
    return usage.sum();
  };
  const model: RoutedPart = { type: 'model', model: 'm', reason: 'network' };
  const text: RoutedPart = { type: 'delta', text: 'twelve units' };
  const thought: RoutedPart = { type: 'reasoning', text: 'hm' };
  const told = { type: 'usage', usage: { ...tokens(5, 6), costMicroUsd: 7 } } as const;
  const finish: RoutedPart = { type: 'finish', reason: 'stop' };
  const guess = { ...tokens(10, 3), estimated: true };

  test.each<[string, readonly RoutedPart[], Usage | null]>([
    ['told, is what was told', [model, text, told, finish], told.usage],
    ['untold, is a guess at its end', [model, text, finish], guess],
    ['untold and without an end, is not known', [model, text], null],
    [
      'of two models that told, is both',
      [model, text, told, model, text, told, finish],
      { ...tokens(10, 12), costMicroUsd: 14 },
    ],
    [
      'whose first model broke off untold, has a guess of it',
      [model, text, model, text, told, finish],
      { ...tokens(15, 9), costMicroUsd: 7, estimated: true },
    ],
    [
      'whose second model breaks off too, has a guess of both',
      [model, text, model, text],
      { ...tokens(20, 6), estimated: true },
    ],
    ['whose first model wrote nothing, is the second’s', [model, thought, model, text, told, finish], told.usage],
    ['begun anew, is the last model’s', [model, text, { type: 'restart' }, model, text, told, finish], told.usage],
    [
      'begun anew after usage was told, is the last model’s',
      [model, text, told, { type: 'restart' }, model, text, finish],
      guess,
    ],
  ])('%s', (_name, parts, usage) => {
    expect(from(parts)).toEqual(usage);
  });
});

describe('a lookup', () => {
  test('that nobody can wait for any more, when the node closes, has no answer', async () => {
    const lookup = createLookup({ findUsage: () => Promise.resolve(tokens(1, 1)), logger, delaysMs: [3_600_000] });
    const found = lookup.find('gen');
    await lookup.close();
    expect(await found).toBeNull();
    expect(await lookup.find('gen')).toBeNull();
  });

  test('asks of many at most four at once, and gets to all', async () => {
    let running = 0;
    let most = 0;
    const findUsage = async (): Promise<Usage> => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return tokens(1, 1);
    };
    const lookup = createLookup({ findUsage, logger, delaysMs: [0] });
    const found = await Promise.all(Array.from({ length: 50 }, (_, i) => lookup.find(String(i))));
    expect(found.every(Boolean)).toBe(true);
    expect(most).toBe(4);
  });
});

describe('reservations', () => {
  const limits = { concurrentReplies: 1, tokensPerDay: 0, costMicroUsdPerDay: 0 };
  /** With what the books were told; one answer is held. */
  const start = () => {
    const told: string[] = [];
    const reservations = createReservations({
      store: { renewReservations: () => Promise.resolve() },
      books: { end: ({ id }) => void told.push(`end ${id}`), release: ({ id }) => void told.push(`release ${id}`) },
      limits,
      maxOutputTokens: 10,
      nodeId: 'n',
      clock,
      logger,
    });
    const make = (owner = 'o') => reservations.make(owner, 4, null) ?? { ended: ['no quota'] };
    const hold = (id: string): void => {
      const made = reservations.make('o', 4, null);
      if (made) reservations.hold({ ownerId: 'o', id }, made);
    };
    hold('first');
    return { told, reservations, make, hold };
  };

  test('an answer that has ended, goes along with its owner’s next reservation, until the store has taken one', () => {
    const { reservations, make, hold } = start();
    expect(make().ended).toEqual([]);
    reservations.release('first');
    expect([make().ended, make().ended, make('other').ended]).toEqual([['first'], ['first'], []]);
    hold('second');
    expect(make().ended).toEqual([]);
    reservations.close();
  });

  test('an answer that ends while another one is let in, goes along with the one after it', () => {
    const { reservations, make } = start();
    const made = reservations.make('o', 4, null);
    reservations.release('first');
    if (made) reservations.hold({ ownerId: 'o', id: 'second' }, made);
    expect(make().ended).toEqual(['first']);
    reservations.told([{ ownerId: 'o', id: 'first' }]);
    expect(make().ended).toEqual([]);
    reservations.close();
  });

  test('an answer whose books are looked up, frees its place at its end, and the rest when they are there', () => {
    const { told, reservations } = start();
    const [one, two] = [reservations.await('first'), reservations.await('first')];
    one();
    expect(told).toEqual([]);
    reservations.release('first');
    reservations.release('first');
    expect(told).toEqual(['end first']);
    two();
    expect(told).toEqual(['end first', 'release first']);
    reservations.close();
  });

  test('an owner who is gone, is forgotten', () => {
    const { reservations, make } = start();
    reservations.release('first');
    reservations.forgetOwner('o');
    expect(make().ended).toEqual([]);
    reservations.close();
  });
});

describe('the books', () => {
  const record = (ownerId: string): UsageRecord => ({
    ...attempt(),
    ...tokens(1, 1),
    id: newId(),
    ownerId,
    createdBy: ownerId,
    at: new Date(clock.now()),
    kind: 'completion',
    chatId: null,
    messageId: null,
    reasoningTokens: 0,
    cachedTokens: 0,
    costMicroUsd: 0,
    estimated: false,
    reason: 'stop',
  });

  test('that could not be written, are written by the next try as the same batch, before anything newer', async () => {
    const batches: UsageBatch[] = [];
    let isDown = true;
    const appendUsage = (batch: UsageBatch): Promise<void> => {
      batches.push(batch);
      return isDown ? Promise.reject(new StoreUnavailableError('down')) : Promise.resolve();
    };
    const books = createBooks({ store: { appendUsage }, nodeId: 'n', written: () => undefined, logger });
    const [first, second] = [record('a'), record('b')];
    books.add(first);
    await books.flush();
    books.add(second);
    books.release({ ownerId: 'b', id: 'r' });
    isDown = false;
    await books.close();
    expect(batches).toEqual([
      { nodeId: 'n', number: 1, records: [first], ended: [], released: [] },
      { nodeId: 'n', number: 1, records: [first], ended: [], released: [] },
      { nodeId: 'n', number: 2, records: [second], ended: [], released: [{ ownerId: 'b', id: 'r' }] },
    ]);
  });

  test('of more than one batch, end reservations with the last one', async () => {
    const batches: UsageBatch[] = [];
    const appendUsage = (batch: UsageBatch): Promise<void> => Promise.resolve(void batches.push(batch));
    const books = createBooks({ store: { appendUsage }, nodeId: 'n', written: () => undefined, logger });
    for (let i = 0; i < 501; i += 1) books.add(record('a'));
    books.release({ ownerId: 'a', id: 'r' });
    await books.close();
    expect(batches.map(({ number, records, released }) => [number, records.length, released.length])).toEqual([
      [1, 500, 0],
      [2, 1, 1],
    ]);
  });

  test('of an owner who is gone, are not written', async () => {
    const written: string[] = [];
    const appendUsage = ({ records }: UsageBatch): Promise<void> =>
      Promise.resolve(void written.push(...records.map(({ ownerId }) => ownerId)));
    const books = createBooks({ store: { appendUsage }, nodeId: 'n', written: () => undefined, logger });
    books.add(record('gone'));
    books.add(record('here'));
    books.drop('gone');
    await books.close();
    expect(written).toEqual(['here']);
  });
});

test('unitsOf counts texts, and of other contents what is sent of them', () => {
  expect(
    unitsOf([{ role: 'user', content: 'hi' }, { role: 'user', content: [{ type: 'text' }] }, { role: 'assistant' }]),
  ).toBe(2 + JSON.stringify([{ type: 'text' }]).length);
});

test('rangeOf, without anything, is the last 30 days', () => {
  expect(rangeOf({}, clock.now())).toEqual({ from: '2026-10-23', to: '2026-11-21' });
});
