import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { hashSync } from 'bcryptjs';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import request from 'supertest';
import { newUser } from '../contract/stores/rows.ts';
import { bearer, logIn, PASSWORD, signUp } from '../support/accounts.ts';
import { startWorld, type World } from '../support/world.ts';

const NEW_PASSWORD = 'Another-Horse-8';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

const api = () => request(world.url);
const change = (token: string, body: object) => api().post('/api/auth/password').set(bearer(token)).send(body);
const me = (token: string) => api().get('/api/auth/me').set(bearer(token));
const login = (username: string, password: string) =>
  api().post('/api/auth/login').send({ username, password, session: 'token' });

describe('POST /api/auth/password', () => {
  test('the password, changed, is the only one that is good; every other login ends, this one and API keys stay', async () => {
    const user = await signUp(world.url);
    const [other, another] = [await logIn(world.url, user), await logIn(world.url, user)];
    const made = await api()
      .post('/api/keys')
      .set(bearer(user.accessToken))
      .send({ name: 'k', scopes: ['read'] });

    await change(user.accessToken, { currentPassword: PASSWORD, newPassword: NEW_PASSWORD }).expect(204, '');

    for (const { accessToken, refreshToken } of [other, another]) {
      expect((await me(accessToken)).body).toMatchObject({ code: 'TOKEN_REVOKED' });
      expect((await api().post('/api/auth/refresh').send({ refreshToken })).body.code).toBe('TOKEN_REVOKED');
    }
    expect((await me(user.accessToken)).status).toBe(200);
    expect((await api().get('/api/models').set(bearer(made.body.key))).status).toBe(200);
    expect((await login(user.username, PASSWORD)).body.code).toBe('INVALID_CREDENTIALS');
    expect((await login(user.username, NEW_PASSWORD)).status).toBe(200);
    const { audit } = world.node.container;
    await audit.flush();
    const { items } = await audit.listEvents({ ownerId: user.id, actions: ['password.changed'], limit: 9 });
    expect(items).toEqual([expect.objectContaining({ actorId: user.id, details: { method: 'password' } })]);
  });

  test('sockets of other logins are closed by it, the own is not', async () => {
    const user = await world.signUp();
    const own = await user.connect();
    const there = await logIn(world.url, user);
    const { io } = await import('socket.io-client');
    const socket = io(world.url, { transports: ['websocket'], auth: { token: there.accessToken }, forceNew: true });
    await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
    const closed = new Promise<string>((resolve) => socket.once('disconnect', resolve));
    await change(user.accessToken, { currentPassword: PASSWORD, newPassword: NEW_PASSWORD }).expect(204);
    expect(await closed).toBe('io server disconnect');
    expect(own.connected).toBe(true);
    socket.close();
  });

  test('a wrong current password is INVALID_CREDENTIALS, and nothing changes', async () => {
    const user = await signUp(world.url);
    const there = await logIn(world.url, user);
    const { status, body } = await change(user.accessToken, { currentPassword: 'wrong', newPassword: NEW_PASSWORD });
    expect([status, body.code]).toEqual([401, 'INVALID_CREDENTIALS']);
    expect((await me(there.accessToken)).status).toBe(200);
    expect((await login(user.username, PASSWORD)).status).toBe(200);
  });

  test('a new password that is too short or common is VALIDATION_FAILED at newPassword', async () => {
    const user = await signUp(world.url);
    for (const newPassword of ['Short-1', 'Password1', 'lower-case-1']) {
      const { status, body } = await change(user.accessToken, { currentPassword: PASSWORD, newPassword });
      expect([status, body.code, body.errors[0].path]).toEqual([400, 'VALIDATION_FAILED', 'newPassword']);
    }
  });

  test('of two changes at once from one password, one wins, and its password is the one that is good', async () => {
    const user = await signUp(world.url);
    const passwords = ['Racing-Horse-1', 'Racing-Horse-2'];
    const answers = await Promise.all(
      passwords.map((newPassword) => change(user.accessToken, { currentPassword: PASSWORD, newPassword })),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([204, 401]);
    const good = await Promise.all(passwords.map(async (password) => (await login(user.username, password)).status));
    expect(good).toEqual(answers.map(({ status }) => (status === 204 ? 200 : 401)));
  });
});

describe('a login that races a change of the password', () => {
  test('with the old one, is refused or ended, whichever comes first', async () => {
    for (let round = 0; round < 12; round += 1) {
      const user = await signUp(world.url);
      const change204 = change(user.accessToken, { currentPassword: PASSWORD, newPassword: NEW_PASSWORD }).expect(204);
      const logins = Array.from({ length: 6 }, () => login(user.username, PASSWORD));
      const [, ...answers] = await Promise.all([change204, ...logins]);
      for (const { status, body } of answers) {
        if (status !== 200) expect(body.code).toBe('INVALID_CREDENTIALS');
        else expect((await me(body.accessToken)).body.code).toBe('TOKEN_REVOKED');
      }
      const live = await api().get('/api/auth/sessions').set(bearer(user.accessToken));
      expect(live.body.items).toEqual([expect.objectContaining({ current: true })]);
    }
  });
});

describe('a hash from another system', () => {
  const FOREIGN = 'Foreign-Horse-9';
  const store = async (passwordHash: string) => {
    const user = newUser({ passwordHash });
    await world.node.container.stores.users.createUser(user);
    return user;
  };
  const storedHash = async (id: string) => (await world.node.container.stores.users.findUser(id))?.passwordHash;

  test('as $2a, $2b or $2y, with the scheme before it or bare, is accepted once and stored as ours', async () => {
    const hash = hashSync(FOREIGN, 5);
    for (const version of ['$2a', '$2b', '$2y']) {
      for (const scheme of ['bcrypt$', '']) {
        const user = await store(`${scheme}${version}${hash.slice(3)}`);
        expect((await login(user.username, 'Foreign-Horse-8')).status).toBe(401);
        expect((await login(user.username, FOREIGN)).status).toBe(200);
        expect(await storedHash(user.id)).toMatch(/^bcrypt-hmac\$\$2b\$04\$/);
        expect((await login(user.username, FOREIGN)).status).toBe(200);
      }
    }
  });

  test('logged in with eight times at once, lets all in and ends as ours', async () => {
    const user = await store(`bcrypt$${hashSync(FOREIGN, 4)}`);
    const answers = await Promise.all(Array.from({ length: 8 }, () => login(user.username, FOREIGN)));
    expect(answers.map(({ status }) => status)).toEqual(Array<number>(8).fill(200));
    expect(await storedHash(user.id)).toMatch(/^bcrypt-hmac\$/);
  });

  test('written by the SQL of docs/import-users.md while the server is stopped, lets its user in', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'parley-import-'));
    await (await startWorld({ dataDir })).stop();
    const page = readFileSync(new URL('../../docs/import-users.md', import.meta.url), 'utf8');
    const sql = /```sql\n([^]+?)```/.exec(page)?.[1]?.replace('$2y$10$…', hashSync(FOREIGN, 4)) ?? '';
    const db = new DatabaseSync(join(dataDir, 'parley.db'));
    db.exec(sql);
    db.close();
    const moved = await startWorld({ dataDir });
    try {
      const credentials = { username: 'ADA', password: FOREIGN };
      const { status, body } = await request(moved.url).post('/api/auth/login').send(credentials);
      expect([status, body.user]).toEqual([200, expect.objectContaining({ username: 'Ada', emailVerified: true })]);
    } finally {
      await moved.stop();
      rmSync(dataDir, { recursive: true, force: true });
    }
  });

  test('that is no bcrypt is nobody’s password', async () => {
    for (const odd of ['bcrypt$', 'bcrypt$$2b$04$short', '$argon2id$v=19$m=1', 'plain', FOREIGN]) {
      expect((await login((await store(odd)).username, FOREIGN)).status).toBe(401);
    }
  });
});
