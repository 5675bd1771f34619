import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId } from '../../src/lib/ids.ts';
import { describeOnEachDatabase } from '../support/databases.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

interface Result {
  readonly ok: boolean;
  readonly clientMessageId: string | null;
  readonly chatId: string;
  readonly userMessageId: string;
  readonly messageId: string;
  readonly status: string;
  readonly duplicate: boolean;
  readonly error: { readonly code: string };
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

await describeOnEachDatabase((database) => {
  let world: World;
  let user: TestUser;

  beforeAll(async () => {
    world = await startWorld({ models: ['sim/echo', 'sim/stall-mid:3'], env: database.env() });
    user = await world.signUp();
  });
  afterAll(() => world.stop());

  const batch = async (items: readonly unknown[], someone = user): Promise<Result[]> => {
    const { status, body } = await someone.call('POST', '/api/chat/batch', { items });
    expect(status).toBe(200);
    return body.results;
  };
  const item = (content: string, fields: object = {}) => ({
    content,
    clientMessageId: newId(),
    model: 'sim/echo',
    ...fields,
  });
  const messages = async (chatId: string): Promise<{ id: string; content: string; status: string }[]> =>
    (await user.call('GET', `/api/chat/history?chatId=${chatId}&limit=200`)).body.items;
  const allSettled = (chatId: string) =>
    waitFor(async () => {
      const items = await messages(chatId);
      return items.length > 0 && items.every(({ status }) => status === 'complete') ? items : null;
    });
  const outcomes = (results: readonly Result[]) => results.map(({ ok, error }) => (ok ? 'ok' : error.code));

  test('ten messages of one chat, written offline, are stored in order and answered one after the other, once', async () => {
    const first = item('m0');
    const items = [first, ...numbers(9).map((n) => item(`m${String(n + 1)}`, { chatOf: first.clientMessageId }))];
    const calls = world.upstream.log.length;
    const results = await batch(items);
    expect(results).toHaveLength(10);
    for (const [index, result] of results.entries()) {
      expect(result).toEqual({
        ok: true,
        clientMessageId: items[index]?.clientMessageId,
        chatId: results[0]?.chatId,
        userMessageId: expect.any(String),
        messageId: expect.any(String),
        // A slow store lets the one before end first.
        status: index === 0 ? expect.any(String) : expect.stringMatching(/^(queued|pending)$/),
        duplicate: false,
      });
    }
    const replay = await batch(items);
    expect(replay).toEqual(results.map((result) => ({ ...result, duplicate: true, status: expect.any(String) })));

    const stored = await allSettled(results[0]?.chatId ?? '');
    expect(stored.map(({ id }) => id)).toEqual(results.flatMap((result) => [result.userMessageId, result.messageId]));
    expect(stored.map(({ content }) => content)).toEqual(items.flatMap(({ content }) => [content, content]));
    const shown = world.upstream.log.slice(calls).map((call) => call.messages.at(-1)?.content);
    expect(shown).toEqual(items.map(({ content }) => content));
    expect(outcomes(await batch(items))).toEqual(items.map(() => 'ok'));
    expect(world.upstream.log.length).toBe(calls + 10);
  });

  test('items that fail, each for its own reason, stop no others', async () => {
    const used = item('used before');
    await batch([used]);
    const results = await batch([
      item('a'),
      { content: '', clientMessageId: 'empty' },
      'nonsense',
      { ...used, content: 'other words' },
      item('b', { chatId: newId() }),
      item('c', { role: 'system' }),
      item('d', { model: 'no/such' }),
      item('e', { chatOf: 'nobody' }),
      item('f', { chatId: newId(), chatOf: used.clientMessageId }),
      item('g'),
    ]);
    expect(outcomes(results)).toEqual([
      'ok',
      'VALIDATION_FAILED',
      'VALIDATION_FAILED',
      'IDEMPOTENCY_CONFLICT',
      'CHAT_NOT_FOUND',
      'VALIDATION_FAILED',
      'MODEL_NOT_AVAILABLE',
      'VALIDATION_FAILED',
      'VALIDATION_FAILED',
      'ok',
    ]);
    expect(results[1]).toMatchObject({ clientMessageId: 'empty', error: { status: 400, retryable: false } });
    expect(results[2]?.clientMessageId).toBeNull();
  });

  test('items that go on with the chat of a failed one fail too', async () => {
    const failed = item('x', { model: 'no/such' });
    const wrong = item('');
    const results = await batch([
      failed,
      item('y', { chatOf: failed.clientMessageId }),
      wrong,
      item('z', { chatOf: wrong.clientMessageId }),
    ]);
    expect(outcomes(results)).toEqual(['MODEL_NOT_AVAILABLE', 'CHAT_NOT_FOUND', 'VALIDATION_FAILED', 'CHAT_NOT_FOUND']);
  });

  test('while an item can succeed later, those behind it in its chat wait with it, and known ones are found', async () => {
    const attempt = world.upstream.nextAttempt();
    const known = item('stall', { model: 'sim/stall-mid:3' });
    const [running] = await batch([known]);
    await attempt;
    const chatId = running?.chatId;
    const results = await batch([
      item('rejected', { chatId, whenBusy: 'reject' }),
      known,
      item('behind it', { chatId }),
      item('elsewhere'),
    ]);
    expect(outcomes(results)).toEqual(['CHAT_BUSY', 'ok', 'CHAT_BUSY', 'ok']);
    expect(results[1]).toMatchObject({ duplicate: true, messageId: running?.messageId });
    expect(await messages(chatId ?? '')).toHaveLength(2);
    await user.call('POST', `/api/chat/messages/${String(running?.messageId)}/stop`);
  });

  test('the limit of sends is kept by waiting for it, and a replay is not counted', async () => {
    const limited = await startWorld({
      models: ['sim/echo'],
      env: { ...database.env(), RATE_LIMIT_CHAT_PER_SECOND: '4' },
    });
    const someone = await limited.signUp();
    const items = numbers(6).map((n) => item(`m${String(n)}`));
    const results = await batch(items, someone);
    expect(outcomes(results)).toEqual(items.map(() => 'ok'));
    const times = await Promise.all(
      [0, 5].map(async (n) => {
        const { body } = await someone.call('GET', `/api/chat/messages/${String(results[n]?.userMessageId)}`);
        return Date.parse(body.createdAt);
      }),
    );
    expect(times[1]).toBeGreaterThan(times[0] ?? Infinity);
    const replays = await Promise.all(numbers(5).map(() => batch(items, someone)));
    expect(replays.flat().every(({ ok, duplicate }) => ok && duplicate)).toBe(true);
    await limited.stop();
  });

  describe('a batch that is none', () => {
    test.each([
      ['no items', { items: [] }],
      ['over 50 items', { items: numbers(51).map(() => item('x')) }],
      ['no list', { items: { 0: item('x') } }],
      ['an unknown field', { items: [item('x')], atomic: true }],
    ])('%s', async (_name, body) => {
      const answer = await user.call('POST', '/api/chat/batch', body);
      expect(answer).toMatchObject({ status: 400, body: { code: 'VALIDATION_FAILED' } });
    });

    test('nobody’s', async () => {
      const response = await fetch(`${world.url}/api/chat/batch`, { method: 'POST' });
      expect(response.status).toBe(401);
    });
  });
});
