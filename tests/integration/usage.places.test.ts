import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { describeOnEachDatabase } from '../support/databases.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

/** The default of `QUOTA_CONCURRENT_REPLIES`, which the tests’ own environment turns off. */
const LIMIT = 5;
const JWT_SECRET = 'a secret that two nodes share, of enough bytes';
/** Tells no usage in its stream, so that its books are looked up for ten seconds in vain. */
const UNTOLD = 'sim/usage-missing';
const SLOW = 'sim/words:60';

const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

const post = (user: TestUser, path: string, body: object, signal: AbortSignal | null = null): Promise<Response> =>
  fetch(`${user.url}${path}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${user.accessToken}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  });

const ask = (model: string, stream: boolean) => ({ model, stream, messages: [{ role: 'user', content: 'hello' }] });

/** One completion, read to its end. */
const complete = async (user: TestUser, model: string, stream = false): Promise<number> => {
  const response = await post(user, '/v1/chat/completions', ask(model, stream));
  await response.text();
  return response.status;
};

const send = async (user: TestUser): Promise<number> =>
  (await user.call('POST', '/api/chat/message', { content: 'hello', model: 'sim/echo' })).status;

/** A streamed completion that is left after its first bytes. */
const leave = async (user: TestUser): Promise<void> => {
  const leaving = new AbortController();
  const response = await post(user, '/v1/chat/completions', ask(SLOW, true), leaving.signal);
  await response.body?.getReader().read();
  leaving.abort();
};

const quotasOf = async (user: TestUser) => (await user.call('GET', '/api/usage')).body.quotas;

await describeOnEachDatabase((database) => {
  const startUntold = async (env: Readonly<Record<string, string>>): Promise<World> => {
    const models = ['sim/echo', UNTOLD, SLOW];
    const world = await startWorld({ models, tokenDelayMs: 5, env: { ...database.env(), JWT_SECRET, ...env } });
    // As an endpoint that has no books to be asked for.
    world.upstream.config({ generationDelayMs: 3_600_000 });
    return world;
  };

  describe('five replies at the same time', () => {
    let world: World;
    beforeAll(async () => {
      world = await startUntold({ QUOTA_CONCURRENT_REPLIES: String(LIMIT) });
    });
    afterAll(() => world.stop());

    test.each([
      ['in one piece', 'sim/echo', false],
      ['in one piece, whose books are still looked up', UNTOLD, false],
      ['streamed', 'sim/echo', true],
      ['streamed, whose books are still looked up', UNTOLD, true],
    ])('let 20 completions in, one after the other, %s', async (_name, model, stream) => {
      const user = await world.signUp();
      const statuses: number[] = [];
      for (let i = 0; i < 20; i += 1) statuses.push(await complete(user, model, stream));
      expect(statuses).toEqual(times(20, () => 200));
    });

    test('left as streams, are free at once, and keep what they reserved until their books are written', async () => {
      const user = await world.signUp();
      await Promise.all(times(LIMIT, () => leave(user)));
      await world.upstream.idle();
      expect(await complete(user, 'sim/echo')).toBe(200);
      const { concurrentReplies, tokensPerDay } = await quotasOf(user);
      expect(concurrentReplies.used).toBe(0);
      expect(tokensPerDay.reserved).toBeGreaterThan(0);
    });

    test('refuse one of six at once, and no more than that', async () => {
      const user = await world.signUp();
      const statuses = await Promise.all(times(LIMIT + 1, () => complete(user, SLOW)));
      expect(statuses.sort()).toEqual([...times(LIMIT, () => 200), 429]);
    });
  });

  describe('one reply at the same time', () => {
    let world: World;
    beforeAll(async () => {
      world = await startUntold({ QUOTA_CONCURRENT_REPLIES: '1' });
    });
    afterAll(() => world.stop());

    test.each([
      ['in one piece', false],
      ['streamed', true],
    ])('lets a message in right after a completion %s, and a completion right after that', async (_name, stream) => {
      const user = await world.signUp();
      const statuses: number[] = [];
      for (let i = 0; i < 6; i += 1) statuses.push(await complete(user, UNTOLD, stream), await send(user));
      expect(statuses).toEqual(times(12, () => 200));
      expect((await quotasOf(user)).concurrentReplies.used).toBe(0);
    });

    // The embedded database has one node.
    const onTwoNodes = database.name === 'SQLite' ? describe.skip : describe;
    onTwoNodes('of which another node knows', () => {
      let other: World;
      beforeAll(async () => {
        const { mongodbUri } = world.node.container.config.database;
        const env = { MONGODB_URI: mongodbUri ?? '', JWT_SECRET, QUOTA_CONCURRENT_REPLIES: '1' };
        other = await startWorld({ models: ['sim/echo'], upstream: world.upstream, env });
      });
      afterAll(() => other.stop());

      test('is free there soon after a completion here has ended, although its books are not written', async () => {
        const user = await world.signUp();
        expect(await complete(user, UNTOLD)).toBe(200);
        const elsewhere = { ...user, url: other.url };
        await waitFor(async () => (await complete(elsewhere, 'sim/echo')) === 200);
      });
    });
  });

  describe('the quota of tokens', () => {
    let world: World;
    beforeAll(async () => {
      world = await startUntold({ QUOTA_TOKENS_PER_DAY: '1000', QUOTA_CONCURRENT_REPLIES: String(LIMIT) });
    });
    afterAll(() => world.stop());

    test('is not free before the books are written: of many at once, right after a completion, none is let in', async () => {
      const user = await world.signUp();
      expect(await complete(user, UNTOLD)).toBe(200);
      const { concurrentReplies, tokensPerDay } = await quotasOf(user);
      expect([concurrentReplies.used, tokensPerDay.used, tokensPerDay.reserved > 1000]).toEqual([0, 0, true]);
      expect(await Promise.all(times(20, () => complete(user, 'sim/echo')))).toEqual(times(20, () => 429));
    });
  });
});
