import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { encodeSyncCursor } from '../../src/services/chat/syncCursor.ts';
import { createDevice, type Device } from '../support/device.ts';
import { describeOnEachDatabase } from '../support/databases.ts';
import { ask } from '../support/events.ts';
import { createRandom, seedOf, type Random } from '../support/random.ts';
import { startWorld, type Answer, type TestUser, type World } from '../support/world.ts';

const DAY_MS = 86_400_000;

const get = async (user: TestUser, query: Readonly<Record<string, string>>): Promise<Answer> =>
  user.call('GET', `/api/sync?${new URLSearchParams(query).toString()}`);

/** Asks through one of two doors, which must answer alike. */
const page = async (user: TestUser, random: Random, query: Readonly<Record<string, string>>) => {
  if (random.isTrue(0.5)) return (await get(user, query)).body;
  const socket = await user.connect();
  const { ok, ...answer } = await ask(socket, 'chat:sync', query);
  socket.close();
  expect(ok).toBe(true);
  return answer;
};

/** Reads from a cursor until there is no more; the cursor to come back with. */
const catchUp = async (user: TestUser, device: Device, random: Random, from: string | null): Promise<string> => {
  let cursor = from;
  for (;;) {
    const limit = String(1 + random.below(20));
    const answer = await page(user, random, { limit, ...(cursor === null ? {} : { cursor }) });
    device.apply(answer);
    cursor = String(answer.cursor);
    if (!answer.more) return cursor;
  }
};

/** The account as the lists tell it. */
const accountOf = async (user: TestUser) => {
  const { body: chats } = await user.call('GET', '/api/chat/sessions?limit=100');
  const messages = [];
  for (const { id } of chats.items) {
    const { body } = await user.call('GET', `/api/chat/sessions/${String(id)}/messages?all=true&limit=200`);
    // What a client that holds all messages knows by itself.
    for (const { siblings: _siblings, ...message } of body.items) messages.push(message);
  }
  const account = createDevice();
  account.apply({ chats: chats.items, messages, deleted: [] });
  return account.holds();
};

await describeOnEachDatabase((database) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ models: ['sim/echo', 'sim/words:3'], env: database.env() });
  });
  afterAll(() => world.stop());

  const send = async (user: TestUser, body: Record<string, unknown> = {}) =>
    user.call('POST', '/api/chat/message', { content: 'Hello', ...body });

  describe('GET /api/sync', () => {
    test('an account, synced from the beginning, is all there, in shapes that every other answer has', async () => {
      const user = await world.signUp();
      const { body: sent } = await send(user);
      const { status, body } = await get(user, {});
      expect(status).toBe(200);
      expect(body).toMatchObject({ deleted: [], more: false });
      expect(body.chats.at(-1)).toEqual((await user.call('GET', `/api/chat/sessions/${String(sent.chat.id)}`)).body);
      expect(body.messages).toContainEqual(sent.message);
      expect(body.messages).toContainEqual(sent.userMessage);
    });

    test('a cursor, kept, brings what changed and nothing else; an empty one is none', async () => {
      const user = await world.signUp();
      const { body: first } = await send(user);
      const { cursor } = (await get(user, { cursor: '' })).body;
      expect((await get(user, { cursor })).body).toMatchObject({ chats: [], messages: [], deleted: [], more: false });
      await user.call('PATCH', `/api/chat/sessions/${String(first.chat.id)}`, { title: 'Renamed' });
      expect((await get(user, { cursor })).body).toMatchObject({ chats: [{ title: 'Renamed' }], messages: [] });
      await user.call('DELETE', `/api/chat/sessions/${String(first.chat.id)}`);
      expect((await get(user, { cursor })).body).toMatchObject({
        chats: [],
        messages: [],
        deleted: [{ kind: 'chat', id: first.chat.id }],
      });
    });

    test('a message of another user, never comes, and that user’s cursor is refused', async () => {
      const [user, other] = [await world.signUp(), await world.signUp()];
      await send(other);
      const { cursor } = (await get(other, {})).body;
      expect((await get(user, {})).body).toMatchObject({ chats: [], messages: [], deleted: [] });
      expect(await get(user, { cursor })).toMatchObject({ status: 400, body: { code: 'CURSOR_INVALID' } });
    });

    test('a cursor that was changed, cut or made up, is refused through both doors', async () => {
      const user = await world.signUp();
      const { cursor } = (await get(user, {})).body;
      const socket = await user.connect();
      const changed = Buffer.from(Buffer.from(cursor, 'base64url').toString().replace(/\d/, '7')).toString('base64url');
      for (const forged of [cursor.slice(0, -1), cursor.slice(1), `${String(cursor)}A`, changed, 'x', 'WyJzeW5jIl0']) {
        expect(await get(user, { cursor: forged })).toMatchObject({ status: 400, body: { code: 'CURSOR_INVALID' } });
        expect(await ask(socket, 'chat:sync', { cursor: forged })).toMatchObject({ error: { code: 'CURSOR_INVALID' } });
      }
    });

    test('a cursor of over 30 days, or of another database, is answered 410', async () => {
      const user = await world.signUp();
      const { cursor } = (await get(user, {})).body;
      const [, position] = JSON.parse(Buffer.from(cursor, 'base64url').toString());
      const socket = await user.connect();
      const made = (place: string, ageMs: number) =>
        encodeSyncCursor(user.id, { position: place, completeAt: Date.now() - ageMs });
      expect(await get(user, { cursor: made(position, 30 * DAY_MS - 60_000) })).toMatchObject({ status: 200 });
      for (const old of [made(position, 30 * DAY_MS + 60_000), made('x1', 0), made('s999999999', 0)]) {
        if (database.name !== 'SQLite' && old === made('s999999999', 0)) continue;
        expect(await get(user, { cursor: old })).toMatchObject({ status: 410, body: { code: 'CURSOR_EXPIRED' } });
        expect(await ask(socket, 'chat:sync', { cursor: old })).toMatchObject({ error: { code: 'CURSOR_EXPIRED' } });
      }
    });

    test('without a login, with a wrong limit or an unknown parameter, is refused', async () => {
      const user = await world.signUp();
      expect((await fetch(`${world.url}/api/sync`)).status).toBe(401);
      for (const query of [{ limit: '0' }, { limit: '501' }, { limit: 'x' }, { since: '1' }]) {
        expect(await get(user, query)).toMatchObject({ status: 400, body: { code: 'VALIDATION_FAILED' } });
      }
    });
  });

  interface Writer {
    readonly user: TestUser;
    readonly random: Random;
    /** Of every writer; some are deleted already. */
    readonly chatIds: Set<string>;
  }
  type Action = (writer: Writer, chatId: string) => Promise<unknown>;

  const begin: Action = async ({ user, chatIds }, chatId) => {
    const { body } = await send(user, { model: 'sim/words:3', ...(chatId === '' ? {} : { chatId }) });
    if (body.chat) chatIds.add(body.chat.id);
  };
  const rename: Action = ({ user, random }, chatId) =>
    user.call('PATCH', `/api/chat/sessions/${chatId}`, { title: `Title ${String(random.below(1000))}` });
  /** Does something with one of the chat's messages. */
  const onMessage =
    (method: string, path: string, body?: unknown): Action =>
    async ({ user, random }, chatId) => {
      const { body: found } = await user.call('GET', `/api/chat/sessions/${chatId}/messages?all=true&limit=20`);
      if (!(found.items?.length > 0)) return;
      const { id } = random.pick<{ id: string }>(found.items);
      await user.call(method, `/api/chat/messages/${id}${path}`, body);
    };
  const ACTIONS: readonly Action[] = [
    ...Array.from({ length: 6 }, () => begin),
    (writer) => begin(writer, ''),
    ...Array.from({ length: 4 }, () => rename),
    onMessage('DELETE', ''),
    onMessage('POST', '/feedback', { rating: 'up' }),
    onMessage('POST', '/regenerate', {}),
    ({ user }, chatId) => user.call('DELETE', `/api/chat/history?chatId=${chatId}`),
    ({ user }, chatId) => user.call('DELETE', `/api/chat/sessions/${chatId}`),
  ];
  const act = async (writer: Writer): Promise<void> => {
    const { random, chatIds } = writer;
    if (chatIds.size === 0) await begin(writer, '');
    else await random.pick(ACTIONS)(writer, random.pick([...chatIds]));
  };

  test('a device that comes and goes while others write, ends with exactly what a new device reads', async () => {
    const seed = seedOf(`sync on ${database.name}`);
    const user = await world.signUp();
    const chatIds = new Set<string>();
    const [writers, steps] = database.name === 'SQLite' ? [4, 60] : [2, 10];
    let isOver = false;

    const write = async (index: number): Promise<void> => {
      const random = createRandom(seed + index);
      for (let step = 0; step < steps; step += 1) await act({ user, random, chatIds });
    };
    const travel = async (): Promise<Device> => {
      const random = createRandom(seed + 1000);
      const device = createDevice(random);
      let cursor: string | null = null;
      while (!isOver) {
        // It may be gone again before it has read every page, and an answer may never reach it.
        for (let pages = random.below(4); pages > 0; pages -= 1) {
          const limit = String(1 + random.below(20));
          const answer = await page(user, random, { limit, ...(cursor === null ? {} : { cursor }) });
          if (random.isTrue(0.2)) break;
          device.apply(answer);
          ({ cursor } = answer);
        }
        for (let away = random.below(6); away > 0; away -= 1) await user.call('GET', '/api/auth/me');
      }
      await catchUp(user, device, random, cursor);
      return device;
    };

    const traveller = travel();
    await Promise.all(Array.from({ length: writers }, (_, index) => write(index)));
    // So that something is there, even where chance deleted everything.
    await send(user);
    isOver = true;
    const fresh = createDevice();
    const held = (await traveller).holds();
    await catchUp(user, fresh, createRandom(seed), null);
    expect(held).toEqual(fresh.holds());
    expect(held).toEqual(await accountOf(user));
    expect(held.messages.length).toBeGreaterThan(0);
  });
});
