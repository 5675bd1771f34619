import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Socket } from 'socket.io-client';
import { bearer, logIn } from '../support/accounts.ts';
import { call as send, PASSWORD } from '../support/http.ts';
import { connectRaw } from '../support/rawSocket.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

const NOBODY = '01a1ff50-6075-7758-a407-f327b153a637';

let world: World;
let adminToken: string;
let adminId: string;
const loginAs = async (username: string): Promise<{ id: string; accessToken: string }> =>
  logIn(world.url, { username, email: '', password: PASSWORD });
beforeAll(async () => {
  world = await startWorld({ models: ['sim/stall-mid:3'] });
  ({ accessToken: adminToken, id: adminId } = await loginAs('admin'));
});
afterAll(() => world.stop());

const asAdmin = (method: string, path: string, json?: unknown) =>
  send(`${world.url}/api/admin${path}`, { method, headers: bearer(adminToken), json });
const change = (user: { id: string }, json: object) => asAdmin('PATCH', `/users/${user.id}`, json);
const me = async ({ accessToken }: { accessToken: string }) => {
  const { status, body } = await send(`${world.url}/api/auth/me`, { headers: bearer(accessToken) });
  return status === 200 ? 200 : body.code;
};
const gone = (socket: Socket): Promise<string> => new Promise((resolve) => socket.once('disconnect', resolve));
/** One more admin, who is none again when the work is done. */
const withSecondAdmin = async (work: (second: TestUser) => Promise<void>): Promise<void> => {
  const second = await world.signUp();
  await change(second, { role: 'admin' });
  try {
    await work(second);
  } finally {
    await change(second, { role: 'user' });
  }
};

describe('users', () => {
  test('searched by a part of name or address, role and status, come in pages, without a password', async () => {
    const users = [await world.signUp(), await world.signUp(), await world.signUp()];
    const [first, second] = users;
    await change(first!, { role: 'manager' });
    await change(second!, { status: 'disabled' });
    const found = async (query: string) => (await asAdmin('GET', `/users?${query}`)).body;
    const { items } = await found(`q=${first!.username.slice(3, 20).toUpperCase()}`);
    expect(items).toEqual([
      {
        id: first!.id,
        username: first!.username,
        email: first!.email,
        emailVerified: false,
        role: 'manager',
        status: 'active',
        mfaEnabled: false,
        createdAt: expect.any(String),
        updatedAt: expect.any(String),
        lastLoginAt: expect.any(String),
      },
    ]);
    expect((await found(`q=${second!.email}`)).items).toMatchObject([{ id: second!.id, status: 'disabled' }]);
    expect((await found(`q=${first!.username}&role=admin`)).items).toEqual([]);
    const disabled = await found('status=disabled');
    expect(disabled.items.map((user: TestUser) => user.id)).toContain(second!.id);
    const page = await found('limit=1');
    expect(page.items).toMatchObject([{ id: users[2]!.id }]);
    expect((await found(`limit=1&cursor=${String(page.nextCursor)}`)).items).toMatchObject([{ id: second!.id }]);
    for (const query of ['role=root', 'limit=0', 'limit=101', 'q=', 'sort=x']) {
      expect([query, (await asAdmin('GET', `/users?${query}`)).body.code]).toEqual([query, 'VALIDATION_FAILED']);
    }
  });

  test('one, read and changed, is as it is now; an unknown one is USER_NOT_FOUND everywhere', async () => {
    const user = await world.signUp();
    const { body } = await change(user, { fullName: 'Ada Lovelace', emailVerified: true });
    expect(body.user).toMatchObject({ id: user.id, fullName: 'Ada Lovelace', emailVerified: true });
    expect((await asAdmin('GET', `/users/${user.id}`)).body).toEqual(body);
    expect((await change(user, {})).body).toEqual(body);
    const calls: readonly [string, string, object?][] = [
      ['GET', ''],
      ['PATCH', '', { role: 'user' }],
      ['DELETE', ''],
      ['POST', '/sign-out'],
    ];
    for (const [method, path, json] of calls) {
      const answer = await asAdmin(method, `/users/${NOBODY}${path}`, json);
      expect([method, answer.status, answer.body.code]).toEqual([method, 404, 'USER_NOT_FOUND']);
    }
    for (const json of [{ passwordHash: 'x' }, { username: 'x' }, { role: 'root' }, { status: 'gone' }, { id: 'x' }]) {
      expect((await change(user, json)).body.code).toBe('VALIDATION_FAILED');
    }
  });

  test('a role is felt at the next call: a manager reads the counts and nothing else', async () => {
    const user = await world.signUp();
    const statuses = async () => {
      const seen = [];
      for (const path of ['stats', 'users', `users/${user.id}`, 'audit']) {
        seen.push((await user.call('GET', `/api/admin/${path}`)).status);
      }
      return seen;
    };
    expect(await statuses()).toEqual([403, 403, 403, 403]);
    await change(user, { role: 'manager' });
    expect(await statuses()).toEqual([200, 403, 403, 403]);
    await change(user, { role: 'admin' });
    expect(await statuses()).toEqual([200, 200, 200, 200]);
    await change(user, { role: 'user' });
    expect(await statuses()).toEqual([403, 403, 403, 403]);
  });
});

describe('disabling', () => {
  test('ends logins, keys, sockets, raw sockets and streams at once, stops replies, and for good', async () => {
    const user = await world.signUp();
    const phone = await loginAs(user.username);
    const { key } = (await user.call('POST', '/api/keys', { name: 'x', scopes: ['chat'] })).body;
    const socket = await user.connect();
    const raw = await connectRaw(world.url, { token: key });
    const { messageId } = await socket.emitWithAck('chat:send', { content: 'Hello' });
    const stream = await fetch(`${world.url}/api/chat/messages/${String(messageId)}/stream`, { headers: bearer(key) });
    const cut = (async () => {
      for await (const _chunk of stream.body!);
    })().catch(() => 'cut');
    const ends = [gone(socket), raw.closed, cut];

    expect((await change(user, { status: 'disabled' })).body.user.status).toBe('disabled');
    expect(await Promise.all(ends)).toEqual([
      'io server disconnect',
      { code: 1008, reason: 'TOKEN_REVOKED' },
      expect.anything(),
    ]);
    const refused = [];
    for (const accessToken of [user.accessToken, phone.accessToken, key]) refused.push(await me({ accessToken }));
    expect(refused).toEqual(['TOKEN_REVOKED', 'TOKEN_REVOKED', 'TOKEN_REVOKED']);
    const refresh = await send(`${world.url}/api/auth/refresh`, {
      method: 'POST',
      json: { refreshToken: user.refreshToken },
    });
    expect(refresh.body.code).toBe('TOKEN_REVOKED');
    const login = (password: string) =>
      send(`${world.url}/api/auth/login`, { method: 'POST', json: { username: user.username, password } });
    expect((await login(PASSWORD)).body.code).toBe('ACCOUNT_DISABLED');
    expect((await login('Wrong-Horse-7')).body.code).toBe('INVALID_CREDENTIALS');

    await change(user, { status: 'active' });
    expect(await me(user)).toBe('TOKEN_REVOKED');
    expect(await me({ accessToken: key })).toBe('TOKEN_REVOKED');
    expect(await me(await loginAs(user.username))).toBe(200);
    const message = await world.node.container.stores.messages.findMessage(user.id, messageId);
    expect(message?.status).toBe('stopped');
  });
});

describe('signing out', () => {
  test('ends every login and its connections; API keys stay', async () => {
    const user = await world.signUp();
    const phone = await loginAs(user.username);
    const { key } = (await user.call('POST', '/api/keys', { name: 'x', scopes: ['read'] })).body;
    const socket = await user.connect();
    const ended = gone(socket);
    expect((await asAdmin('POST', `/users/${user.id}/sign-out`)).status).toBe(204);
    expect(await ended).toBe('io server disconnect');
    expect([await me(user), await me(phone)]).toEqual(['TOKEN_REVOKED', 'TOKEN_REVOKED']);
    expect((await send(`${world.url}/api/models`, { headers: bearer(key) })).status).toBe(200);
    expect(await me(await loginAs(user.username))).toBe(200);
  });
});

describe('deleting', () => {
  test('takes everything of the user along, and its name is free again', async () => {
    const user = await world.signUp();
    const { key } = (await user.call('POST', '/api/keys', { name: 'x', scopes: ['read'] })).body;
    const { id: chatId } = (await user.call('POST', '/api/chat/sessions', { title: 'Mine' })).body;
    expect((await asAdmin('DELETE', `/users/${user.id}`)).status).toBe(204);
    expect([await me(user), await me({ accessToken: key })]).toEqual(['TOKEN_REVOKED', 'TOKEN_INVALID']);
    expect(await world.node.container.stores.chats.findChat(user.id, chatId)).toBeNull();
    expect((await asAdmin('GET', `/users/${user.id}`)).body.code).toBe('USER_NOT_FOUND');
    const { username, email } = user;
    const again = { username, email, password: PASSWORD };
    expect((await send(`${world.url}/api/auth/signup`, { method: 'POST', json: again })).status).toBe(201);
  });
});

describe('the last admin', () => {
  test('can be neither disabled, demoted nor deleted, not even by itself', async () => {
    const refusals = [
      await change({ id: adminId }, { role: 'user' }),
      await change({ id: adminId }, { role: 'manager' }),
      await change({ id: adminId }, { status: 'disabled' }),
      await change({ id: adminId }, { status: 'disabled', fullName: 'x' }),
      await asAdmin('DELETE', `/users/${adminId}`),
      await send(`${world.url}/api/auth/me`, {
        method: 'DELETE',
        headers: bearer(adminToken),
        json: { password: PASSWORD },
      }),
    ];
    expect(refusals.map(({ status, body }) => [status, body.code])).toEqual(Array(6).fill([403, 'FORBIDDEN']));
    expect((await asAdmin('GET', `/users/${adminId}`)).body.user).toMatchObject({ role: 'admin', status: 'active' });
  });

  test('of two that demote each other at once, one stays', async () => {
    await withSecondAdmin(async (second) => {
      const outcomes = await Promise.all([
        change(second, { role: 'user' }),
        second.call('PATCH', `/api/admin/users/${adminId}`, { role: 'user' }),
      ]);
      expect(outcomes.map(({ status }) => status).toSorted()).toEqual([200, 403]);
      const { items } = (
        await Promise.all([asAdmin('GET', '/users?role=admin'), second.call('GET', '/api/admin/users?role=admin')])
      ).find(({ status }) => status === 200)!.body;
      expect(items).toHaveLength(1);
      if (items[0].id === second.id) {
        await second.call('PATCH', `/api/admin/users/${adminId}`, { role: 'admin' });
      }
    });
  });

  test('with another one, an admin can leave', async () => {
    await withSecondAdmin(async (second) => {
      expect((await second.call('DELETE', '/api/auth/me', { password: PASSWORD })).status).toBe(204);
    });
  });
});

describe('counts', () => {
  test('tell users, chats and messages, as they were at most a minute ago', async () => {
    const { status, body } = await asAdmin('GET', '/stats');
    expect(status).toBe(200);
    expect(body).toEqual({
      users: { total: expect.any(Number), disabled: expect.any(Number), admins: 1 },
      chats: expect.any(Number),
      messages: expect.any(Number),
      usageToday: { tokens: expect.any(Number), costMicroUsd: expect.any(Number) },
      at: expect.any(String),
    });
    expect(body.users.total).toBeGreaterThan(0);
    await world.signUp();
    expect((await asAdmin('GET', '/stats')).body).toEqual(body);
  });
});
