import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId } from '../../src/lib/ids.ts';
import { describeOnEachDatabase } from '../support/databases.ts';
import { waitFor } from '../support/waitFor.ts';
import { createRandom, seedOf } from '../support/random.ts';
import { call, startWorld, type TestUser, type World } from '../support/world.ts';

/** Requests of the run whose books are compared with the simulator's; `BOOKS_REQUESTS=500` is the long one. */
const REQUESTS = Number(process.env.BOOKS_REQUESTS ?? 60);
const AT_ONCE = 10;
const NUMBERS = ['promptTokens', 'completionTokens', 'reasoningTokens', 'cachedTokens', 'costMicroUsd'] as const;
const SUMS = ['requests', 'attempts', 'estimated', 'totalTokens', ...NUMBERS] as const;

interface Attempt {
  readonly at: string;
  readonly generationId: string | null;
  readonly number: number;
  readonly model: string;
  readonly usage: Record<string, number> & { estimated: boolean };
}

/** Every attempt of a period, page by page. */
const allAttempts = async (user: TestUser, query = ''): Promise<Attempt[]> => {
  const attempts: Attempt[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const behind: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const { body } = await user.call('GET', `/api/usage/attempts?limit=7${behind}${query}`);
    attempts.push(...body.items);
    cursor = body.nextCursor;
  }
  return attempts;
};

const addUp = (attempts: readonly Attempt[]) => {
  const sum = (of: (attempt: Attempt) => number): number => attempts.reduce((total, item) => total + of(item), 0);
  return {
    requests: sum(({ number }) => Number(number === 1)),
    attempts: attempts.length,
    estimated: sum(({ usage }) => Number(usage.estimated)),
    totalTokens: sum(({ usage }) => usage.totalTokens ?? NaN),
    ...Object.fromEntries(NUMBERS.map((name) => [name, sum(({ usage }) => usage[name] ?? NaN)])),
  };
};

const pick = (from: Record<string, unknown>, names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, from[name]]));

await describeOnEachDatabase((database) => {
  describe('one message', () => {
    let world: World;
    beforeAll(async () => {
      world = await startWorld({ models: ['sim/echo', 'sim/words:9'], env: database.env() });
    });
    afterAll(() => world.stop());

    test('is in the books with all that its reply tells, for its owner alone', async () => {
      const [user, other] = [await world.signUp(), await world.signUp()];
      const { body } = await user.call('POST', '/api/chat/message', { content: 'count me', model: 'sim/words:9' });
      const { body: usage } = await user.call('GET', '/api/usage');
      const today = new Date().toISOString().slice(0, 10);
      const { promptTokens, completionTokens, totalTokens, costMicroUsd } = body.message.usage;
      expect(totalTokens).toBeGreaterThan(9);
      const sums = {
        requests: 1,
        attempts: 1,
        estimated: 0,
        promptTokens,
        completionTokens,
        totalTokens,
        costMicroUsd,
      };
      expect(usage).toMatchObject({
        to: today,
        totals: sums,
        days: [{ day: today, ...sums }],
        models: [{ model: 'sim/words:9', ...sums }],
        quotas: {
          tokensPerDay: { limit: 0, used: totalTokens, reserved: 0 },
          costMicroUsdPerDay: { limit: 0, used: costMicroUsd, reserved: 0 },
          concurrentReplies: { limit: 0, used: 0, reserved: 0, resetsAt: null },
        },
      });
      expect(Date.parse(usage.quotas.tokensPerDay.resetsAt) % 86_400_000).toBe(0);
      expect((await user.call('GET', '/api/usage/attempts')).body).toMatchObject({
        items: [
          {
            kind: 'reply',
            chatId: body.chat.id,
            messageId: body.message.id,
            number: 1,
            model: 'sim/words:9',
            generationId: expect.stringMatching(/^gen-/),
            usage: { promptTokens, completionTokens, totalTokens, costMicroUsd, estimated: false },
            chosenBy: 'picked',
            outcome: 'complete',
            reason: 'stop',
          },
        ],
        nextCursor: null,
      });
      expect((await other.call('GET', '/api/usage')).body).toMatchObject({ totals: { attempts: 0 }, days: [] });
      expect((await other.call('GET', '/api/usage/attempts')).body).toEqual({ items: [], nextCursor: null });
      const { metrics } = world.node.container;
      const model = 'sim/words:9';
      expect(await metrics.value('llm_tokens_total', { model, kind: 'completion' })).toBe(completionTokens);
      expect(await metrics.value('llm_cost_micro_usd_total', { model })).toBe(costMicroUsd);
    });

    test('periods, as dates and times, are whole UTC days; what is none is refused', async () => {
      const user = await world.signUp();
      const range = async (query: string) => pick((await user.call('GET', `/api/usage?${query}`)).body, ['from', 'to']);
      expect(await range('from=2026-01-02&to=2026-01-31')).toEqual({ from: '2026-01-02', to: '2026-01-31' });
      expect(await range('from=2026-01-02T23:30:00-01:00&to=2026-02-01T00:00:00Z')).toEqual({
        from: '2026-01-03',
        to: '2026-01-31',
      });
      expect(await range('to=2026-03-01')).toEqual({ from: '2026-01-31', to: '2026-03-01' });
      expect(await range('from=2025-01-01&to=2026-02-04')).toEqual({ from: '2025-01-01', to: '2026-02-04' });
      for (const query of [
        'from=2025-01-01&to=2026-02-05',
        'from=2026-01-02&to=2026-01-01',
        'from=yesterday',
        'to=0',
      ]) {
        const answer = await user.call('GET', `/api/usage?${query}`);
        expect({ query, status: answer.status, code: answer.body.code }).toEqual({
          query,
          status: 400,
          code: 'VALIDATION_FAILED',
        });
      }
      const cursor = await user.call('GET', '/api/usage/attempts?cursor=nonsense');
      expect([cursor.status, cursor.body.code]).toEqual([400, 'CURSOR_INVALID']);
      expect((await fetch(`${world.url}/api/usage`)).status).toBe(401);
    });

    test('is in the books of a node that is shut down right after it', async () => {
      const dataDir = mkdtempSync(join(tmpdir(), 'parley-books-'));
      const env = { ...database.env(), JWT_SECRET: 'the same secret before and after the restart' };
      const first = await startWorld({ models: ['sim/echo'], dataDir, env });
      const user = await first.signUp();
      const { body } = await user.call('POST', '/api/chat/message', { content: 'the last one' });
      await first.stop();
      const second = await startWorld({ models: ['sim/echo'], dataDir, env });
      const headers = { Authorization: `Bearer ${user.accessToken}` };
      const answer = await call(`${second.url}/api/usage/attempts`, { headers });
      expect(answer.body.items).toMatchObject([{ messageId: body.message.id, usage: { estimated: false } }]);
      await second.stop();
      rmSync(dataDir, { recursive: true, force: true });
    });

    test('an account, deleted while a reply runs, leaves nothing in the books', async () => {
      const slow = await startWorld({ models: ['sim/words:200'], tokenDelayMs: 20, env: database.env() });
      const user = await slow.signUp();
      const { stores } = slow.node.container;
      const everything = { from: new Date(0), to: new Date(Date.now() + 86_400_000), after: null, limit: 10 };
      const socket = await user.connect();
      const texts: unknown[] = [];
      socket.on('chat:delta', (delta: unknown) => texts.push(delta));
      const { messageId } = await socket.emitWithAck('chat:send', { content: 'short' });
      await waitFor(() => texts.length > 0);
      await socket.emitWithAck('chat:stop', { messageId });
      await waitFor(async () => (await stores.usage.listUsage(user.id, everything)).length === 1);
      texts.length = 0;
      await socket.emitWithAck('chat:send', { content: 'long' });
      await waitFor(() => texts.length > 0);
      await user.call('DELETE', '/api/auth/me', { password: user.password });
      await slow.upstream.idle();
      // Closing writes what is left of the books, so that nothing can come after the look.
      await slow.node.container.usage.close();
      expect(await stores.usage.listUsage(user.id, everything)).toEqual([]);
      expect(await stores.usage.listUsageDays(user.id, '2020-01-01', '2100-01-01')).toEqual([]);
      await slow.stop();
    });
  });
});

describe(`the books of ${String(REQUESTS)} requests with faults and aborts`, () => {
  const faults = {
    p500: 0.03,
    'preset-before-headers': 0.02,
    'pcut-after:4': 0.03,
    'preset-after:6': 0.03,
    'preset-mid-chunk:1': 0.02,
    'perr-mid:3': 0.02,
    'perr-first-event': 0.02,
    pwhitespace: 0.01,
    'pblank-200': 0.01,
    'pusage-missing': 0.06,
  };
  const models = ['sim/reasoning', 'sim/ok', ...Array.from({ length: 10 }, (_, i) => `sim/words:${String(15 + i)}`)];
  /** Every how many requests one is abandoned, and within how many milliseconds: before it is read, while it is answered, after. */
  const ABANDON_EVERY = 5;
  const ABANDON_WITHIN_MS = 40;
  const random = createRandom(seedOf('the books'));
  let world: World;
  beforeAll(async () => {
    // A quota that nobody meets: what is reserved tells when all is in the books.
    const env = { QUOTA_TOKENS_PER_DAY: '1000000000' };
    world = await startWorld({ models, tokenDelayMs: 3, env });
    world.upstream.config({ seed: 7, mix: faults });
  });
  afterAll(() => world.stop());

  const complete = (user: TestUser, content: string, stream: boolean, signal: AbortSignal): Promise<Response> =>
    fetch(`${user.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${user.accessToken}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ model: 'auto', stream, messages: [{ role: 'user', content }] }),
      signal,
    });

  /** Begins a reply over a socket, and stops it after the first text. */
  const stopped = async (user: TestUser, content: string): Promise<void> => {
    const socket = await user.connect();
    const begun = new Promise<void>((resolve) => {
      for (const event of ['chat:delta', 'chat:end', 'chat:failed']) socket.once(event, () => resolve());
    });
    const { messageId } = await socket.emitWithAck('chat:send', { content });
    await begun;
    await socket.emitWithAck('chat:stop', { messageId });
    socket.close();
  };

  /** Asks for a completion as a stream, and leaves after the first piece of it. */
  const left = async (user: TestUser, content: string): Promise<void> => {
    const leaving = new AbortController();
    const response = await complete(user, content, true, leaving.signal);
    await response.body?.getReader().read();
    leaving.abort();
  };

  /** Asks for a completion, and leaves at any moment. */
  const abandoned = async (user: TestUser, content: string): Promise<void> => {
    const leaving = AbortSignal.timeout(random.below(ABANDON_WITHIN_MS));
    const answer = complete(user, content, random.isTrue(0.5), leaving).then((response) => response.text());
    await answer.catch(() => undefined);
  };

  /** One request through one of the doors; some are stopped, or left, at some moment. */
  const ask = async (user: TestUser, index: number): Promise<unknown> => {
    const content = `request ${String(index)}`;
    if (index % ABANDON_EVERY === 3) return abandoned(user, content);
    if (index % 6 === 0) return stopped(user, content);
    if (index % 6 === 2) return left(user, content);
    if (index % 6 === 4) {
      return user.call('POST', '/v1/chat/completions', { model: 'auto', messages: [{ role: 'user', content }] });
    }
    return user.call('POST', '/api/chat/message', { content, clientMessageId: newId() });
  };

  /** What the simulator has of each call, by the id that it gave it. */
  const served = () =>
    new Map(world.upstream.log.map(({ generationId, model, bill }) => [generationId, { model, bill }]));
  /** How many calls of each model are in a list. */
  const perModel = (calls: readonly { readonly model: string }[]) =>
    Object.fromEntries(models.map((model) => [model, calls.filter((call) => call.model === model).length]));

  test(
    'equal the simulator’s own to the token, but for guesses that are marked, and every sum is explained by the calls',
    async () => {
      const users = await Promise.all(Array.from({ length: AT_ONCE }, () => world.signUp()));
      await Promise.all(
        users.map(async (user, lane) => {
          for (let index = lane; index < REQUESTS; index += AT_ONCE) await ask(user, index);
        }),
      );
      await world.upstream.idle();
      const summariesOf = async () =>
        (await Promise.all(users.map((user) => user.call('GET', '/api/usage')))).map(({ body }) => body);
      const rowsOf = () => Promise.all(users.map((user) => allAttempts(user)));
      const isSettled = async (): Promise<boolean> => {
        const isReserved = ({ quotas }: { quotas: Record<string, Record<string, number>> }): boolean =>
          quotas.tokensPerDay?.reserved !== 0 || quotas.concurrentReplies?.used !== 0;
        if ((await summariesOf()).some(isReserved)) return false;
        return (await rowsOf()).flat().length >= world.upstream.log.length;
      };
      await waitFor(isSettled);

      const [summaries, rows] = [await summariesOf(), await rowsOf()];
      const calls = served();
      for (const [index, user] of users.entries()) {
        const own = rows[index] ?? [];
        expect({ user: user.id, ...pick(addUp(own), SUMS) }).toEqual({
          user: user.id,
          ...pick(summaries[index].totals, SUMS),
        });
      }
      // What has the endpoint's id has its price.
      const named = rows.flat().filter(({ generationId }) => generationId !== null);
      expect(
        named.map(({ generationId, model, usage }) => ({
          generationId,
          model,
          ...pick(usage, [...NUMBERS, 'estimated']),
        })),
      ).toEqual(
        named.map(({ generationId }) => ({
          generationId,
          model: calls.get(String(generationId))?.model,
          ...pick({ ...calls.get(String(generationId))?.bill }, NUMBERS),
          estimated: false,
        })),
      );
      expect(new Set(named.map(({ generationId }) => generationId)).size).toBe(named.length);
      // Every other call that the simulator served has a row without an id; and one that it billed, a guess.
      const unnamed = rows.flat().filter(({ generationId }) => generationId === null);
      const guessed = unnamed.filter(({ usage }) => usage.estimated);
      for (const { generationId } of named) calls.delete(String(generationId));
      const others = [...calls.values()];
      const billed = others.filter(({ bill }) => (bill?.promptTokens ?? 0) > 0);
      const [rowsOfModel, guesses] = [perModel(unnamed), perModel(guessed)];
      const isMissing = (of: Readonly<Record<string, number>>, calls: readonly { readonly model: string }[]) =>
        Object.entries(perModel(calls)).filter(([model, count]) => count > (of[model] ?? 0));
      expect([isMissing(rowsOfModel, others), isMissing(guesses, billed)]).toEqual([[], []]);
      const zero = { promptTokens: 0, completionTokens: 0, costMicroUsd: 0 };
      for (const { usage } of unnamed) {
        expect(usage).toMatchObject(usage.estimated ? { completionTokens: 0, costMicroUsd: 0 } : zero);
        expect(usage.estimated).toBe((usage.promptTokens ?? 0) > 0);
      }
      // The run met what it was made for.
      const theirs = world.upstream.books().total;
      expect(theirs.aborted).toBeGreaterThan(0);
      expect(theirs.broken).toBeGreaterThan(0);
      expect(theirs.failed).toBeGreaterThan(0);
      expect(guessed.length).toBeGreaterThan(0);
      const requests = summaries.reduce((sum, { totals }) => sum + Number(totals.requests), 0);
      expect(requests).toBeGreaterThan(REQUESTS * (1 - 1 / ABANDON_EVERY) * 0.9);
      expect(requests).toBeLessThanOrEqual(REQUESTS);
    },
    60_000 + REQUESTS * 500,
  );
});
