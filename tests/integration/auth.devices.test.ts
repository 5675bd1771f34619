import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import request from 'supertest';
import { bearer, logIn, newAccount, PASSWORD, signUp, startClockNode, type ClockNode } from '../support/accounts.ts';
import { waitFor } from '../support/waitFor.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0';

let node: ClockNode;
beforeAll(async () => {
  node = await startClockNode({ TRUST_PROXY: '1' });
});
afterAll(() => node.stop());

const get = async (path: string, token: string) => {
  const { status, body } = await request(node.url).get(path).set(bearer(token));
  return { status, body };
};
const listLogins = async (token: string, query = '') => (await get(`/api/auth/sessions${query}`, token)).body;
const revoke = (id: string, token: string) => request(node.url).delete(`/api/auth/sessions/${id}`).set(bearer(token));
const me = async (token: string) => (await get('/api/auth/me', token)).status;

describe('logins', () => {
  test('listed, have device, address and times, the newest first, and the one that asks is current', async () => {
    const user = await signUp(node.url);
    node.advance(1000);
    const { body } = await request(node.url)
      .post('/api/auth/login')
      .set({ 'User-Agent': FIREFOX, 'X-Forwarded-For': '198.51.100.7' })
      .send({ username: user.username, password: PASSWORD, session: 'token' });
    const { items, nextCursor } = await listLogins(body.accessToken);
    expect(nextCursor).toBeNull();
    expect(items).toHaveLength(2);
    expect(items[0]).toEqual({
      id: expect.any(String),
      device: 'Firefox on Linux',
      ip: '198.51.100.7',
      current: true,
      createdAt: expect.any(String),
      lastSeenAt: items[0].createdAt,
      expiresAt: new Date(Date.parse(items[0].createdAt) + 7 * DAY_MS).toISOString(),
    });
    expect(items[1]).toMatchObject({ current: false });
    expect((await listLogins(user.accessToken)).items.map((item: { current: boolean }) => item.current)).toEqual([
      false,
      true,
    ]);
  });

  test('listed in pages, come once each; a cursor of another list or none at all is CURSOR_INVALID', async () => {
    const user = await signUp(node.url);
    await logIn(node.url, user);
    await logIn(node.url, user);
    const seen = new Set<string>();
    let cursor = '';
    for (let page = 0; page < 3; page += 1) {
      const { items, nextCursor } = await listLogins(user.accessToken, `?limit=1${cursor}`);
      seen.add(items[0].id);
      cursor = `&cursor=${String(nextCursor)}`;
    }
    expect(seen.size).toBe(3);
    expect(cursor).toBe('&cursor=null');
    const { nextCursor } = await listLogins(user.accessToken, '?limit=1');
    for (const wrong of ['x', Buffer.from('["logins",1e300,"a"]').toString('base64url'), 'bnVsbA']) {
      expect(await get(`/api/auth/sessions?cursor=${wrong}`, user.accessToken)).toMatchObject({
        status: 400,
        body: { code: 'CURSOR_INVALID' },
      });
    }
    expect((await get(`/api/keys?cursor=${String(nextCursor)}`, user.accessToken)).body.code).toBe('CURSOR_INVALID');
  });

  test('revoked, is refused at the next call; of another user, unknown or again, it is LOGIN_NOT_FOUND', async () => {
    const [user, stranger] = [await signUp(node.url), await signUp(node.url)];
    const phone = await logIn(node.url, user);
    const { items } = await listLogins(phone.accessToken);
    const id = items.find((item: { current: boolean }) => item.current).id;
    expect((await revoke(id, stranger.accessToken)).body.code).toBe('LOGIN_NOT_FOUND');
    expect(await me(phone.accessToken)).toBe(200);
    expect((await revoke(id, user.accessToken)).status).toBe(204);
    expect(await get('/api/auth/me', phone.accessToken)).toMatchObject({
      status: 401,
      body: { code: 'TOKEN_REVOKED' },
    });
    for (const gone of [id, '01a1ff50-6075-7758-a407-f327b153a637', 'x']) {
      const { status, body } = await revoke(gone, user.accessToken);
      expect([status, body.code]).toEqual([404, 'LOGIN_NOT_FOUND']);
    }
    expect((await listLogins(user.accessToken)).items).toHaveLength(1);
  });

  test('its own, revoked by a browser, is logged out and loses its cookies', async () => {
    const user = await signUp(node.url);
    const [{ id }] = (await listLogins(user.accessToken)).items;
    const { status, headers } = await revoke(id, user.accessToken);
    expect(status).toBe(204);
    expect(String(headers['set-cookie'])).toMatch(/parley_at=;.*parley_rt=;/);
    expect(await me(user.accessToken)).toBe(401);
  });

  test('the twenty-first ends the one that was not seen for longest', async () => {
    const user = await signUp(node.url);
    const devices = [user];
    for (let count = 1; count < 20; count += 1) {
      node.advance(1000);
      devices.push({ ...user, ...(await logIn(node.url, user)) });
    }
    node.advance(MINUTE_MS);
    expect(await me(devices[0]!.accessToken)).toBe(200);
    await waitFor(async () => {
      const { items } = await listLogins(user.accessToken, '?limit=100');
      const first = items.find((item: { current: boolean }) => item.current);
      return first.lastSeenAt !== first.createdAt;
    });
    const last = await logIn(node.url, user);
    expect(await me(devices[0]!.accessToken)).toBe(200);
    expect(await me(devices[1]!.accessToken)).toBe(401);
    expect(await me(devices[2]!.accessToken)).toBe(200);
    expect((await listLogins(last.accessToken, '?limit=100')).items).toHaveLength(20);
  });

  test('a busy one is noted as seen once a minute, however often it asks', async () => {
    const user = await signUp(node.url);
    const { stores } = node.node.container;
    const lastSeen = async () => (await listLogins(user.accessToken)).items[0].lastSeenAt;
    const before = await lastSeen();
    node.advance(2 * MINUTE_MS);
    for (let count = 0; count < 20; count += 1) await me(user.accessToken);
    const after = await waitFor(async () => ((await lastSeen()) === before ? null : lastSeen()));
    expect(Date.parse(after) - Date.parse(before)).toBeGreaterThanOrEqual(2 * MINUTE_MS);
    node.advance(MINUTE_MS - 1000);
    for (let count = 0; count < 20; count += 1) await me(user.accessToken);
    await node.node.container.auth.close();
    expect(await lastSeen()).toBe(after);
    expect((await stores.logins.listLogins(user.id, { after: null, limit: 9 }, new Date(0)))[0]?.lastSeenAt).toEqual(
      new Date(after),
    );
  });
});

describe('sign-in history', () => {
  const history = async (token: string, query = '') => (await get(`/api/auth/history${query}`, token)).body;
  const tryPassword = (username: string, password: string) =>
    request(node.url).post('/api/auth/login').set('User-Agent', FIREFOX).send({ username, password });

  test('has who signed in and who tried to, with device and address, and nothing of others', async () => {
    const [user, stranger] = [await signUp(node.url), await signUp(node.url)];
    node.advance(1000);
    await tryPassword(user.username, 'Wrong-Horse-7').expect(401);
    node.advance(1000);
    await tryPassword(user.email, PASSWORD).expect(200);
    await tryPassword(newAccount().username, PASSWORD).expect(401);
    const items = await waitFor(async () => {
      const page = await history(user.accessToken);
      return page.items.length === 3 ? page.items : null;
    });
    expect(items[0]).toEqual({
      id: expect.any(String),
      at: expect.any(String),
      outcome: 'success',
      method: 'password',
      device: 'Firefox on Linux',
      ip: expect.stringMatching(/127\.0\.0\.1$/),
    });
    expect(items.map(({ outcome, method }: { outcome: string; method: string }) => [outcome, method])).toEqual([
      ['success', 'password'],
      ['failure', 'password'],
      ['success', 'signup'],
    ]);
    expect((await history(stranger.accessToken)).items).toHaveLength(1);
    const first = await history(user.accessToken, '?limit=2');
    expect(first.items).toEqual(items.slice(0, 2));
    expect((await history(user.accessToken, `?limit=2&cursor=${String(first.nextCursor)}`)).items).toEqual(
      items.slice(2),
    );
  });

  test('forgets after 90 days', async () => {
    const user = await signUp(node.url);
    await waitFor(async () => (await history(user.accessToken)).items.length === 1);
    node.advance(91 * DAY_MS);
    const { accessToken } = await logIn(node.url, user);
    const { items } = await waitFor(async () => {
      const page = await history(accessToken);
      return page.items.length > 0 ? page : null;
    });
    expect(items.map(({ method }: { method: string }) => method)).toEqual(['password']);
  });
});
