import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import request from 'supertest';
import { crc32 } from 'node:zlib';
import { bearer, signUp, startClockNode, type ClockNode } from '../support/accounts.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorld } from '../support/world.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

let node: ClockNode;
let now: () => number;
beforeAll(async () => {
  node = await startClockNode();
  now = () => node.node.container.clock.now();
});
afterAll(() => node.stop());

const call = async (method: 'get' | 'post' | 'delete', path: string, token: string, body?: object) => {
  const answer = await request(node.url)[method](path).set(bearer(token)).send(body);
  return { status: answer.status, body: answer.body };
};
const create = (token: string, body: object = { name: 'A program', scopes: ['read'] }) =>
  call('post', '/api/keys', token, body);
const keyReads = () => node.node.container.metrics.value('store_reads_total', { operation: 'apiKeys.findKeyByHash' });
const listChats = async (token: string) => {
  const { status, body } = await call('get', '/api/chat/sessions', token);
  return status === 200 ? 200 : [status, body.code];
};

/** The 32-bit checksum in base 62, as docs/api.md says. */
const checkOf = (text: string): string => {
  let rest = crc32(text);
  const digits = [];
  while (digits.length < 6) {
    digits.unshift(BASE62[rest % 62]);
    rest = Math.floor(rest / 62);
  }
  return digits.join('');
};

describe('making a key', () => {
  test('answers with it once; the list has its beginning alone, and the database its hash', async () => {
    const user = await signUp(node.url);
    const { status, body } = await create(user.accessToken, { name: 'Nächtlich 🌙', scopes: ['chat', 'read'] });
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.any(String),
      name: 'Nächtlich 🌙',
      key: expect.stringMatching(/^parley_sk_[0-9A-Za-z]{49}$/),
      prefix: body.key.slice(0, 16),
      scopes: ['chat', 'read'],
      expiresAt: null,
      lastUsedAt: null,
      createdAt: expect.any(String),
    });
    expect(body.key.slice(-6)).toBe(checkOf(body.key.slice(0, -6)));
    const { key, ...view } = body;
    const list = await call('get', '/api/keys', user.accessToken);
    expect(list.body).toEqual({ items: [view], nextCursor: null });
    const stored = JSON.stringify(
      await node.node.container.stores.apiKeys.listKeys(user.id, { after: null, limit: 9 }),
    );
    expect(stored).not.toContain(key);
    expect(stored).not.toContain(key.slice(16, -6));
  });

  test.each([
    ['no name', { scopes: ['read'] }, 'name'],
    ['an empty name', { name: '', scopes: ['read'] }, 'name'],
    ['no scope', { name: 'x', scopes: [] }, 'scopes'],
    ['an unknown scope', { name: 'x', scopes: ['admin'] }, 'scopes.0'],
    ['a text for scopes', { name: 'x', scopes: 'read' }, 'scopes'],
    ['an end in the past', { name: 'x', scopes: ['read'], expiresAt: '2020-01-01T00:00:00.000Z' }, 'expiresAt'],
    ['an end that is no time', { name: 'x', scopes: ['read'], expiresAt: 'tomorrow' }, 'expiresAt'],
    ['a field of its own', { name: 'x', scopes: ['read'], ownerId: 'y' }, 'ownerId'],
  ])('with %s, is VALIDATION_FAILED', async (_name, body, path) => {
    const user = await signUp(node.url);
    const answer = await create(user.accessToken, body);
    expect([answer.status, answer.body.code]).toEqual([400, 'VALIDATION_FAILED']);
    expect(answer.body.errors).toContainEqual(expect.objectContaining({ path }));
  });

  test('more than fifty is FORBIDDEN until one is revoked', async () => {
    const user = await signUp(node.url);
    const made = [];
    for (let count = 0; count < 50; count += 1) made.push((await create(user.accessToken)).body);
    const refused = await create(user.accessToken);
    expect([refused.status, refused.body.code]).toEqual([403, 'FORBIDDEN']);
    const { body } = await call('get', '/api/keys?limit=30', user.accessToken);
    expect(body.items).toHaveLength(30);
    expect(
      (await call('get', `/api/keys?limit=30&cursor=${String(body.nextCursor)}`, user.accessToken)).body.items,
    ).toHaveLength(20);
    expect((await call('delete', `/api/keys/${String(made[7].id)}`, user.accessToken)).status).toBe(204);
    expect((await create(user.accessToken)).status).toBe(201);
  });
});

describe('a key', () => {
  test('with «read» gets chats and changes nothing; with «chat» it does both; neither touches the account', async () => {
    const user = await signUp(node.url);
    const [read, chat] = [
      (await create(user.accessToken)).body.key,
      (await create(user.accessToken, { name: 'Bot', scopes: ['chat'] })).body.key,
    ];
    const made = await call('post', '/api/chat/sessions', chat, { title: 'By key' });
    expect(made.status).toBe(201);
    expect((await call('get', '/api/chat/sessions', read)).body.items).toEqual([made.body]);
    expect(await listChats(chat)).toBe(200);
    const refused = await call('post', '/api/chat/sessions', read, { title: 'No' });
    expect([refused.status, refused.body.code]).toEqual([403, 'FORBIDDEN']);
    for (const path of ['/api/auth/me', '/api/auth/sessions', '/api/auth/history', '/api/keys', '/api/admin/users']) {
      for (const key of [read, chat]) expect([path, (await call('get', path, key)).status]).toEqual([path, 403]);
    }
    expect((await call('post', '/api/auth/ticket', chat)).status).toBe(403);
    expect((await call('post', '/api/auth/logout?all=true', chat)).status).toBe(403);
    expect((await call('get', '/api/auth/me', user.accessToken)).status).toBe(200);
  });

  test('of an admin is no admin', async () => {
    const user = await signUp(node.url);
    await node.node.container.stores.users.updateUser(user.id, { role: 'admin' }, new Date());
    node.node.container.events.publish('accountsChanged', { ownerIds: new Set([user.id]) });
    expect((await call('get', '/api/admin/users', user.accessToken)).status).toBe(200);
    const { key } = (await create(user.accessToken, { name: 'x', scopes: ['chat'] })).body;
    for (const path of ['users', 'audit', 'stats']) {
      expect((await call('get', `/api/admin/${path}`, key)).status).toBe(403);
    }
  });

  test('mistyped, cut or of another alphabet, is TOKEN_INVALID without a look into the database', async () => {
    const { key } = (await create((await signUp(node.url)).accessToken)).body;
    const before = await keyReads();
    const typo = `${String(key.slice(0, 20))}${key[20] === 'x' ? 'y' : 'x'}${String(key.slice(21))}`;
    const wrong = [
      typo,
      key.slice(0, -1),
      `${String(key)}0`,
      key.replace('parley_sk_', 'parley_pk_'),
      `${String(key.slice(0, -1))}-`,
    ];
    for (const token of wrong) expect(await listChats(token)).toEqual([401, 'TOKEN_INVALID']);
    expect(await keyReads()).toBe(before);
    const forged = `parley_sk_${'x'.repeat(43)}`;
    expect(await listChats(`${forged}${checkOf(forged)}`)).toEqual([401, 'TOKEN_INVALID']);
    expect(await keyReads()).toBe(before + 1);
  });

  test('used a hundred times, costs one read, and its last use is noted to the minute', async () => {
    const user = await signUp(node.url);
    const { key } = (await create(user.accessToken)).body;
    const { auth } = node.node.container;
    const before = await keyReads();
    for (let count = 0; count < 100; count += 1) await auth.authenticate({ via: 'bearer', token: key });
    expect(await keyReads()).toBe(before + 1);
    const lastUsedAt = await waitFor(
      async () => (await call('get', '/api/keys', user.accessToken)).body.items[0].lastUsedAt,
    );
    expect(Math.abs(Date.parse(lastUsedAt) - now())).toBeLessThan(MINUTE_MS);
  });

  test('in a cookie or a ticket’s place, is nobody', async () => {
    const { key } = (await create((await signUp(node.url)).accessToken)).body;
    const cookie = await request(node.url)
      .get('/api/chat/sessions')
      .set('Cookie', `parley_at=${String(key)}`);
    expect([cookie.status, cookie.body.code]).toEqual([401, 'TOKEN_INVALID']);
    const path = '/api/chat/messages/01a1ff50-6075-7758-a407-f327b153a637/stream';
    expect((await request(node.url).get(`${path}?ticket=${String(key)}`)).body.code).toBe('TOKEN_INVALID');
  });
});

describe('the end of a key', () => {
  test('revoked, is felt at the next call; a foreign, unknown or revoked one is KEY_NOT_FOUND', async () => {
    const [user, stranger] = [await signUp(node.url), await signUp(node.url)];
    const { id, key } = (await create(user.accessToken)).body;
    expect(await listChats(key)).toBe(200);
    expect((await call('delete', `/api/keys/${String(id)}`, stranger.accessToken)).body.code).toBe('KEY_NOT_FOUND');
    expect(await listChats(key)).toBe(200);
    expect((await call('delete', `/api/keys/${String(id)}`, user.accessToken)).status).toBe(204);
    expect(await listChats(key)).toEqual([401, 'TOKEN_REVOKED']);
    for (const gone of [id, 'x']) {
      const { status, body } = await call('delete', `/api/keys/${String(gone)}`, user.accessToken);
      expect([status, body.code]).toEqual([404, 'KEY_NOT_FOUND']);
    }
    expect((await call('get', '/api/keys', user.accessToken)).body.items).toEqual([]);
  });

  test('expired, is TOKEN_EXPIRED from that moment, and stays in the list', async () => {
    const user = await signUp(node.url);
    const expiresAt = new Date(now() + 10 * MINUTE_MS).toISOString();
    const { key } = (await create(user.accessToken, { name: 'x', scopes: ['read'], expiresAt })).body;
    expect(await listChats(key)).toBe(200);
    node.advance(10 * MINUTE_MS);
    expect(await listChats(key)).toEqual([401, 'TOKEN_EXPIRED']);
    expect((await call('get', '/api/keys', user.accessToken)).body.items).toMatchObject([{ expiresAt }]);
  });

  test('revoked on another node, is felt within 30 s', async () => {
    const user = await signUp(node.url);
    const { id, key } = (await create(user.accessToken)).body;
    expect(await listChats(key)).toBe(200);
    await node.node.container.stores.apiKeys.revokeKey(user.id, id, new Date());
    node.advance(30_000);
    expect(await listChats(key)).toEqual([401, 'TOKEN_REVOKED']);
  });

  test('of a deleted account, is felt at the next call', async () => {
    const user = await signUp(node.url);
    const { key } = (await create(user.accessToken)).body;
    expect(await listChats(key)).toBe(200);
    expect((await call('delete', '/api/auth/me', user.accessToken, { password: user.password })).status).toBe(204);
    expect(await listChats(key)).toEqual([401, 'TOKEN_INVALID']);
  });

  test('30 days ago, is forgotten', async () => {
    const user = await signUp(node.url);
    const { id, key } = (await create(user.accessToken)).body;
    await call('delete', `/api/keys/${String(id)}`, user.accessToken);
    const { apiKeys } = node.node.container.stores;
    expect(await apiKeys.deleteEndedKeys(new Date(now() - 30 * DAY_MS), 100)).toBe(0);
    node.advance(31 * DAY_MS);
    expect(await apiKeys.deleteEndedKeys(new Date(now() - 30 * DAY_MS), 100)).toBeGreaterThan(0);
    expect(await listChats(key)).toEqual([401, 'TOKEN_INVALID']);
  });
});

describe('the limits of a key', () => {
  test('are its own: neither its user’s nor another key’s', async () => {
    const world = await startWorld({ env: { RATE_LIMIT_API_PER_MINUTE: '4' } });
    try {
      const user = await world.signUp();
      const keys = [];
      for (let count = 0; count < 2; count += 1) {
        keys.push((await user.call('POST', '/api/keys', { name: 'x', scopes: ['read'] })).body.key);
      }
      const statuses = async (token: string) => {
        const seen = [];
        for (let count = 0; count < 5; count += 1) {
          seen.push((await request(world.url).get('/api/models').set(bearer(token))).status);
        }
        return seen;
      };
      expect(await statuses(keys[0])).toEqual([200, 200, 200, 200, 429]);
      expect(await statuses(keys[1])).toEqual([200, 200, 200, 200, 429]);
      expect(await statuses(user.accessToken)).toEqual([200, 200, 429, 429, 429]);
    } finally {
      await world.stop();
    }
  });
});
