import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId } from '../../src/lib/ids.ts';
import { describeOnEachDatabase } from '../support/databases.ts';
import { connectRaw } from '../support/rawSocket.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

const JWT_SECRET = 'a secret that two nodes share, of enough bytes';

/** What a send came to at any door. */
interface Outcome {
  readonly code: string | null;
  readonly detail?: string;
  readonly retryAfterMs?: number;
}

type Door = (user: TestUser, body: object) => Promise<Outcome>;

const outcomeOf = ({ ok, error }: { ok?: boolean; error?: Outcome }): Outcome =>
  ok ? { code: null } : (error ?? { code: '?' });

const json: Door = async (user, body) => {
  const { status, body: answer, headers } = await user.call('POST', '/api/chat/message', body);
  if (status !== 200) expect(Number(headers.get('Retry-After')) * 1000).toBeGreaterThanOrEqual(answer.retryAfterMs);
  return status === 200 ? { code: null } : answer;
};
const sse: Door = async (user, body) => {
  const headers = { Authorization: `Bearer ${user.accessToken}`, 'Content-Type': 'application/json' };
  const sent = JSON.stringify({ ...body, stream: true });
  const response = await fetch(`${user.url}/api/chat/message`, { method: 'POST', headers, body: sent });
  const text = await response.text();
  return response.status === 200 ? { code: null } : JSON.parse(text);
};
const socket: Door = async (user, body) => {
  const client = await user.connect();
  try {
    return outcomeOf(await client.emitWithAck('chat:send', body));
  } finally {
    client.close();
  }
};
const raw: Door = async (user, body) => {
  const client = await connectRaw(user.url, { token: user.accessToken });
  try {
    return outcomeOf(await client.ask({ type: 'message', ...body }));
  } finally {
    client.close();
  }
};
const batch: Door = async (user, body) => {
  const answer = await user.call('POST', '/api/chat/batch', { items: [{ clientMessageId: newId(), ...body }] });
  return outcomeOf(answer.body.results[0]);
};
const completion: Door = async (user, { content }: { content?: string }) => {
  const messages = [{ role: 'user', content }];
  const { status, body } = await user.call('POST', '/v1/chat/completions', { model: 'auto', messages });
  if (status === 200) return { code: null };
  return { code: status === 429 && body.error.code === 'insufficient_quota' ? 'QUOTA_EXCEEDED' : JSON.stringify(body) };
};
const DOORS: readonly Door[] = [json, sse, socket, raw, batch, completion];

const admitted = (outcomes: readonly Outcome[]): number => outcomes.filter(({ code }) => code === null).length;
const quotasOf = async (user: TestUser) => (await user.call('GET', '/api/usage')).body.quotas;
const chatsOf = async (user: TestUser): Promise<unknown[]> =>
  (await user.call('GET', '/api/chat/sessions?limit=100')).body.items;

await describeOnEachDatabase((database) => {
  /** Requests at once: FerretDB reads whole collections. */
  const MANY = database.name === 'SQLite' ? 100 : 40;

  /** Two nodes on one database, where a database takes two; else one that is asked twice. */
  const startNodes = async (env: Readonly<Record<string, string>>): Promise<readonly [World, World]> => {
    const shared = { ...database.env(), JWT_SECRET, ...env };
    const models = ['sim/echo', 'sim/words:40'];
    const first = await startWorld({ models, tokenDelayMs: 10, env: shared });
    if (database.name === 'SQLite') return [first, first];
    return [first, await startWorld({ models, upstream: first.upstream, env: shared })];
  };
  const stopNodes = async ([first, second]: readonly [World, World]): Promise<void> => {
    if (second !== first) await second.stop();
    await first.stop();
  };
  const at = (world: World, user: TestUser): TestUser => ({
    ...user,
    url: world.url,
    call: async (method, path, body) => {
      const headers = { Authorization: `Bearer ${user.accessToken}`, 'Content-Type': 'application/json' };
      const sent = body === undefined ? {} : { body: JSON.stringify(body) };
      const response = await fetch(`${world.url}${path}`, { method, headers, ...sent });
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: text === '' ? '' : JSON.parse(text) };
    },
  });

  /** Tokens that one `hello` to `sim/echo` costs. */
  const priceOfHello = async (): Promise<number> => {
    const world = await startWorld({ models: ['sim/echo'] });
    const user = await world.signUp();
    const { body } = await user.call('POST', '/api/chat/message', { content: 'hello' });
    await world.stop();
    return body.message.usage.totalTokens;
  };

  describe('the quota of tokens', () => {
    let nodes: readonly [World, World];
    beforeAll(async () => {
      nodes = await startNodes({ QUOTA_TOKENS_PER_DAY: String((await priceOfHello()) + 1) });
    });
    afterAll(() => stopNodes(nodes));

    /** A user with one token left. */
    const almostThere = async (): Promise<TestUser> => {
      const user = await nodes[0].signUp();
      expect(await json(user, { content: 'hello', model: 'sim/echo' })).toEqual({ code: null });
      const { tokensPerDay } = await quotasOf(user);
      expect(tokensPerDay.limit - tokensPerDay.used).toBe(1);
      return user;
    };

    test('with one left, lets exactly one of many sends in, over all doors and nodes, and stores nothing of the others', async () => {
      const user = await almostThere();
      const elsewhere = at(nodes[1], user);
      const before = nodes[0].upstream.log.length;
      const outcomes = await Promise.all(
        Array.from({ length: MANY }, (_, i) => {
          const door = DOORS[i % DOORS.length] ?? json;
          const client = door === socket || i % 4 < 2 ? user : elsewhere;
          return door(client, { content: `parallel ${String(i)}` });
        }),
      );
      expect(admitted(outcomes)).toBe(1);
      expect(outcomes.filter(({ code }) => code !== 'QUOTA_EXCEEDED' && code !== null)).toEqual([]);
      expect((await chatsOf(user)).length).toBeLessThanOrEqual(2);
      expect(nodes[0].upstream.log.length - before).toBe(1);
      expect(
        await nodes[0].node.container.metrics.value('limit_hits_total', { limit: 'tokensPerDay' }),
      ).toBeGreaterThan(0);
    });

    test('used up, says so, and until when; a known message is recognised all the same', async () => {
      const user = await almostThere();
      const clientMessageId = newId();
      const known = { content: 'the last one', clientMessageId };
      expect(await json(user, known)).toEqual({ code: null });
      // The reply has ended; its books follow at once, and with them its reservation goes.
      await waitFor(async () => (await quotasOf(user)).tokensPerDay.reserved === 0);
      const refused = await json(user, { content: 'one more' });
      expect(refused).toMatchObject({ code: 'QUOTA_EXCEEDED', status: 429, retryable: true });
      expect(refused.detail).toMatch(/tokens a day is used up/);
      const midnight = Date.parse((await quotasOf(user)).tokensPerDay.resetsAt);
      expect(Math.abs(Date.now() + (refused.retryAfterMs ?? NaN) - midnight)).toBeLessThan(5_000);
      for (const door of [json, sse, socket, raw, batch]) expect(await door(user, known)).toEqual({ code: null });
      const chatId = String((await user.call('GET', '/api/chat/sessions')).body.items[0].id);
      const messages: readonly { id: string }[] = (await user.call('GET', `/api/chat/sessions/${chatId}/messages`)).body
        .items;
      const [question = '', reply = ''] = messages.map(({ id }) => id);
      const again = await user.call('POST', `/api/chat/messages/${reply}/regenerate`, {});
      const edited = await user.call('PATCH', `/api/chat/messages/${question}`, { content: 'otherwise' });
      expect([again.body.code, edited.body.code]).toEqual(['QUOTA_EXCEEDED', 'QUOTA_EXCEEDED']);
      expect(await json(await nodes[0].signUp(), { content: 'hello' })).toEqual({ code: null });
    });
  });

  describe('the quota of replies at the same time', () => {
    let nodes: readonly [World, World];
    beforeAll(async () => {
      nodes = await startNodes({ QUOTA_CONCURRENT_REPLIES: '2' });
    });
    afterAll(() => stopNodes(nodes));

    const slow = (content: string) => ({ content, model: 'sim/words:40' });

    test('lets as many run, over the nodes, and the next when one has ended', async () => {
      const user = await nodes[0].signUp();
      const elsewhere = at(nodes[1], user);
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, (_, i) => raw(i % 2 === 0 ? user : elsewhere, slow(`chat ${String(i)}`))),
      );
      expect(admitted(outcomes)).toBe(2);
      for (const { code, detail, retryAfterMs } of outcomes.filter((outcome) => outcome.code !== null)) {
        expect({ code, retryAfterMs }).toEqual({ code: 'QUOTA_EXCEEDED', retryAfterMs: 1000 });
        expect(detail).toMatch(/2 replies at the same time/);
      }
      expect(await chatsOf(user)).toHaveLength(2);
      await waitFor(async () => (await quotasOf(user)).concurrentReplies.used === 0);
      expect(await json(user, { content: 'now', model: 'sim/echo' })).toEqual({ code: null });
    });

    test('counts no reply that waits behind another in its chat: a batch into one chat goes in whole', async () => {
      const user = await nodes[0].signUp();
      const [first, ...rest] = Array.from({ length: 8 }, (_, i) => ({
        content: `item ${String(i)}`,
        clientMessageId: newId(),
        model: 'sim/echo',
      }));
      const items = [first, ...rest.map((item) => ({ ...item, chatOf: first?.clientMessageId }))];
      const { body } = await user.call('POST', '/api/chat/batch', { items });
      expect(body.results.map(({ ok }: { ok: boolean }) => ok)).toEqual(items.map(() => true));
      await waitFor(async () => (await quotasOf(user)).concurrentReplies.used === 0);
    });

    test('takes a stopped reply’s place back at once', async () => {
      const user = await nodes[0].signUp();
      const client = await user.connect();
      const { messageId } = await client.emitWithAck('chat:send', slow('one'));
      expect(await client.emitWithAck('chat:send', slow('two'))).toMatchObject({ ok: true });
      expect(await client.emitWithAck('chat:send', slow('three'))).toMatchObject({ ok: false });
      await client.emitWithAck('chat:stop', { messageId });
      expect(await client.emitWithAck('chat:send', slow('four'))).toMatchObject({ ok: true });
      await waitFor(async () => (await quotasOf(user)).concurrentReplies.used === 0);
    });
  });
});
