import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { bearer, logIn, signUp, startClockNode } from '../support/accounts.ts';
import { call as send, PASSWORD } from '../support/http.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

interface Event {
  readonly action: string;
  readonly outcome: string;
  readonly actorId: string | null;
  readonly userId: string | null;
  readonly targetId: string | null;
  readonly ip: string;
  readonly device: string;
  readonly requestId: string;
  readonly details?: Record<string, string>;
}

let world: World;
let admin: { id: string; accessToken: string };
beforeAll(async () => {
  world = await startWorld();
  admin = await logIn(world.url, { username: 'admin', email: '', password: PASSWORD });
});
afterAll(() => world.stop());

const asAdmin = (method: string, path: string, json?: unknown) =>
  send(`${world.url}/api/admin${path}`, {
    method,
    headers: { ...bearer(admin.accessToken), 'X-Request-Id': 'audit-test', 'User-Agent': 'auditor/1' },
    json,
  });
const eventsOf = async (query: string): Promise<Event[]> =>
  (await asAdmin('GET', `/audit?limit=100&${query}`)).body.items;
/** The actions about an account, the oldest first, once there are as many. */
const actionsOf = (user: { id: string }, count: number): Promise<string[]> =>
  waitFor(async () => {
    const events = await eventsOf(`user=${user.id}`);
    return events.length >= count ? events.map(({ action }) => action).toReversed() : null;
  });
const login = (username: string, password: string) =>
  send(`${world.url}/api/auth/login`, { method: 'POST', json: { username, password } });

describe('the audit log', () => {
  test('has everything that happened to an account, in order: who, from where, in which request', async () => {
    const user = await world.signUp();
    await login(user.username, 'Wrong-Horse-7');
    const phone = await logIn(world.url, user);
    await waitFor(async () => (await eventsOf(`user=${user.id}`)).length === 3);
    const { id: keyId } = (await user.call('POST', '/api/keys', { name: 'secret name', scopes: ['chat'] })).body;
    await user.call('DELETE', `/api/keys/${String(keyId)}`);
    await send(`${world.url}/api/auth/logout`, { method: 'POST', headers: bearer(phone.accessToken) });
    await waitFor(async () => (await eventsOf(`user=${user.id}`)).length === 6);
    await asAdmin('PATCH', `/users/${user.id}`, { role: 'manager', fullName: 'Secret Name' });
    await asAdmin('PATCH', `/users/${user.id}`, { status: 'disabled' });
    await asAdmin('POST', `/users/${user.id}/sign-out`);

    expect(await actionsOf(user, 9)).toEqual([
      'account.created',
      'login.failed',
      'login.succeeded',
      'key.created',
      'key.revoked',
      'login.ended',
      'user.changed',
      'user.changed',
      'user.signed-out',
    ]);
    const events = (await eventsOf(`user=${user.id}`)).toReversed();
    expect(events[1]).toMatchObject({ outcome: 'failure', actorId: null, details: { reason: 'wrong password' } });
    expect(events[3]).toMatchObject({ actorId: user.id, targetId: keyId, ip: expect.stringMatching(/127\.0\.0\.1/) });
    expect(events[6]).toEqual({
      id: expect.any(String),
      at: expect.any(String),
      action: 'user.changed',
      outcome: 'success',
      actorId: admin.id,
      userId: user.id,
      targetId: null,
      ip: expect.stringMatching(/127\.0\.0\.1$/),
      device: 'auditor/1',
      requestId: 'audit-test',
      details: { fields: 'fullName role', role: 'user → manager' },
    });
    expect(events[7]?.details).toEqual({ fields: 'status', status: 'active → disabled' });
    const text = JSON.stringify(events);
    for (const secret of ['secret name', 'Secret Name', 'Wrong-Horse-7', user.username, user.email]) {
      expect(text).not.toContain(secret);
    }
  });

  test('has a change of profile, and a wrong password on the way to it, without what was changed', async () => {
    const user = await world.signUp();
    await actionsOf(user, 1);
    const email = `new_${user.email}`;
    await user.call('PATCH', '/api/auth/me', { email, currentPassword: 'Wrong-Horse-7' });
    await actionsOf(user, 2);
    await user.call('PATCH', '/api/auth/me', { email, currentPassword: PASSWORD });
    expect(await actionsOf(user, 3)).toEqual(['account.created', 'password.refused', 'account.changed']);
    const [event] = await eventsOf(`user=${user.id}&action=account.changed`);
    expect(event).toMatchObject({ actorId: user.id, details: { fields: 'email emailVerified' } });
    expect(JSON.stringify(event)).not.toContain(email);
  });

  test('has failures for unknown names without the name, which may be a password', async () => {
    await login('my-Secret-Passw0rd', 'x');
    const events = await waitFor(async () => {
      const failed = await eventsOf('action=login.failed');
      return failed.some(({ userId }) => userId === null) ? failed : null;
    });
    expect(events.every(({ action }) => action === 'login.failed')).toBe(true);
    expect(JSON.stringify(events)).not.toContain('my-Secret');
  });

  test('has a refresh token that was used again, and the login that this ended', async () => {
    const user = await world.signUp();
    const refresh = (refreshToken: string) =>
      send(`${world.url}/api/auth/refresh`, { method: 'POST', json: { refreshToken } });
    const second = (await refresh(user.refreshToken)).body.refreshToken;
    await refresh(second);
    expect((await refresh(user.refreshToken)).status).toBe(401);
    const [event] = await eventsOf(`user=${user.id}&action=refresh.reused`);
    expect(event).toMatchObject({ outcome: 'failure', actorId: null, details: { ended: 'true' } });
  });

  test('filtered by actor, action and time, and in pages, has what fits', async () => {
    const user = await world.signUp();
    for (let count = 0; count < 3; count += 1) await asAdmin('POST', `/users/${user.id}/sign-out`);
    const query = `user=${user.id}&action=user.signed-out`;
    const all = await eventsOf(query);
    expect(all).toHaveLength(3);
    const pages: unknown[] = [];
    let cursor = '';
    do {
      const { body } = await asAdmin('GET', `/audit?${query}&limit=1${cursor}`);
      pages.push(...body.items);
      cursor = body.nextCursor === null ? '' : `&cursor=${String(body.nextCursor)}`;
    } while (cursor !== '');
    expect(pages).toEqual(all);
    expect(await eventsOf(`${query}&actor=${admin.id}`)).toEqual(all);
    expect(await eventsOf(`${query}&actor=${user.id}`)).toEqual([]);
    expect(await eventsOf(`${query}&to=2020-01-01T00:00:00Z`)).toEqual([]);
    expect(await eventsOf(`${query}&from=2020-01-01T00:00:00Z`)).toEqual(all);
    expect((await asAdmin('GET', '/audit?from=yesterday')).body.code).toBe('VALIDATION_FAILED');
    expect((await asAdmin('GET', '/audit?cursor=x')).body.code).toBe('CURSOR_INVALID');
  });

  test('nobody changes or deletes it', async () => {
    for (const method of ['POST', 'PATCH', 'PUT', 'DELETE']) {
      expect((await asAdmin(method, '/audit')).status).toBe(405);
    }
  });

  test('a role is changed and recorded before the answer', async () => {
    const user = await world.signUp();
    await asAdmin('PATCH', `/users/${user.id}`, { role: 'manager' });
    const { audit } = world.node.container.stores;
    const filter = { actorId: admin.id, ownerId: user.id, actions: ['user.changed'], from: null, to: null };
    expect(await audit.listEvents(filter, { after: null, limit: 9 })).toHaveLength(1);
  });
});

describe('a flood', () => {
  test('of wrong passwords, of which thirty are written, is told by how many there were when it goes on', async () => {
    const node = await startClockNode();
    try {
      const user = await signUp(node.url);
      const guess = () =>
        send(`${node.url}/api/auth/login`, {
          method: 'POST',
          json: { username: user.username, password: 'Guess-1234' },
        });
      const { stores, audit } = node.node.container;
      const failures = async () => {
        await audit.flush();
        const filter = { actorId: null, ownerId: user.id, actions: ['login.failed'], from: null, to: null };
        return stores.audit.listEvents(filter, { after: null, limit: 100 });
      };
      for (let count = 0; count < 35; count += 1) expect((await guess()).status).toBe(401);
      expect(await failures()).toHaveLength(30);
      node.advance(600_000);
      await guess();
      expect((await failures())[0]?.details).toEqual({ method: 'password', reason: 'wrong password', leftOut: '5' });
    } finally {
      await node.stop();
    }
  });
});

describe('what stays of a deleted account', () => {
  const remains = async (user: TestUser) => (await eventsOf(`user=${user.id}`)).toReversed();

  test('by its owner: what happened, without address and device, the deletion included', async () => {
    const user = await world.signUp();
    await login(user.username, 'Wrong-Horse-7');
    expect((await user.call('DELETE', '/api/auth/me', { password: PASSWORD })).status).toBe(204);
    const events = await remains(user);
    expect(events.map(({ action }) => action)).toEqual(['account.created', 'login.failed', 'account.deleted']);
    for (const { ip, device } of events) expect([ip, device]).toEqual(['', '']);
    expect(events[2]).toMatchObject({ actorId: user.id, requestId: expect.any(String) });
  });

  test('by an admin: also where the admin was', async () => {
    const user = await world.signUp();
    await asAdmin('DELETE', `/users/${user.id}`);
    const events = await remains(user);
    expect(events.map(({ action, ip, device }) => [action, ip !== '', device])).toEqual([
      ['account.created', false, ''],
      ['account.deleted', true, 'auditor/1'],
    ]);
  });
});

describe('while the database is away', () => {
  test('events wait and are written when it is back; a change that must be on record is told to have failed', async () => {
    const user = await world.signUp();
    await actionsOf(user, 1);
    const { stores } = world.node.container;
    const append = jest.spyOn(stores.audit, 'appendEvents').mockRejectedValue(new Error('away'));
    try {
      await logIn(world.url, user);
      expect((await asAdmin('POST', `/users/${user.id}/sign-out`)).status).toBe(500);
      append.mockRestore();
      expect(await actionsOf(user, 3)).toEqual(['account.created', 'login.succeeded', 'user.signed-out']);
    } finally {
      append.mockRestore();
    }
  });
});
