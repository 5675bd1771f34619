import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import request from 'supertest';
import { bearer, logIn, newAccount, PASSWORD, signUp } from '../support/accounts.ts';
import { createAuthService, createPasswords } from '../../src/services/auth/index.ts';
import { startWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

const api = () => request(world.url);
const problem = (status: number, code: string) =>
  expect.objectContaining({ status, code, requestId: expect.any(String) });

describe('signup', () => {
  test.each(['/api/auth/signup', '/api/auth/register'])(
    'a new account at %s, is made, signed in and shown',
    async (path) => {
      const account = newAccount();
      const { status, body } = await api()
        .post(path)
        .send({ ...account, fullName: 'Ada L', session: 'token' });
      expect(status).toBe(201);
      expect(body).toEqual({
        user: {
          id: expect.stringMatching(/^[0-9a-f-]{36}$/),
          username: account.username,
          email: account.email,
          emailVerified: false,
          fullName: 'Ada L',
          role: 'user',
          status: 'active',
          mfaEnabled: false,
          createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/),
          updatedAt: expect.any(String),
          lastLoginAt: expect.any(String),
        },
        accessToken: expect.any(String),
        tokenType: 'Bearer',
        expiresIn: 900,
        refreshToken: expect.stringMatching(/^[\w-]{70}$/),
        deviceToken: expect.stringMatching(/^[\w-]{70}$/),
      });
    },
  );

  test('the password, after a signup, is stored as scheme$hash and never logged', async () => {
    const account = { ...newAccount(), password: 'Secret-Canary-31415' };
    const { body } = await api().post('/api/auth/signup').send(account).expect(201);
    const user = await world.node.container.stores.users.findUser(body.user.id);
    expect(user?.passwordHash).toMatch(/^bcrypt-hmac\$\$2[aby]\$04\$/);
    for (const secret of [account.password, body.accessToken, user?.passwordHash ?? '']) {
      expect(world.logText()).not.toContain(secret);
    }
  });

  test('a username that is taken in another case, or a taken e-mail address, is 409', async () => {
    const taken = await signUp(world.url);
    const name = { ...newAccount(), username: taken.username.toUpperCase() };
    const mail = { ...newAccount(), email: taken.email.toUpperCase() };
    expect((await api().post('/api/auth/signup').send(name)).body).toEqual(problem(409, 'USERNAME_TAKEN'));
    expect((await api().post('/api/auth/signup').send(mail)).body).toEqual(problem(409, 'EMAIL_TAKEN'));
  });

  test('one username, asked for by twenty at once, goes to exactly one', async () => {
    const { username } = newAccount();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        api()
          .post('/api/auth/signup')
          .send({ ...newAccount(), username }),
      ),
    );
    const statuses = answers.map((answer) => answer.status).sort();
    expect(statuses).toEqual([201, ...Array<number>(19).fill(409)]);
  });

  test.each([
    ['username', 'ab'],
    ['username', 'with space'],
    ['username', 'a@b.example'],
    ['username', 'ü_umlaut'],
    ['username', 'x'.repeat(51)],
    ['username', null],
    ['username', ['admin']],
    ['username', { $ne: null }],
    ['email', 'no-address'],
    ['email', ''],
    ['email', 7],
    ['password', 'Short1x'],
    ['password', 'Password123'],
    ['password', 'all-lower-case-1'],
    ['password', `Aa1${'x'.repeat(126)}`],
    ['password', 'Lone-Surrogate-1\ud800'],
    ['password', { $gt: '' }],
    ['fullName', ''],
    ['session', 'both'],
  ])('a %s of %j is refused by name', async (field, value) => {
    const { status, body } = await api()
      .post('/api/auth/signup')
      .send({ ...newAccount(), [field]: value });
    expect(status).toBe(400);
    expect(body).toEqual(problem(400, 'VALIDATION_FAILED'));
    expect(body.errors.map((error: { path: string }) => error.path)).toEqual(expect.arrayContaining([field]));
  });

  test.each(['role', 'id', '_id', 'status', 'emailVerified', 'passwordHash', 'isAdmin', 'ownerId', 'createdAt', 'rev'])(
    'a field that is not the client’s to set (%s) is refused by name, and no account is made',
    async (field) => {
      const account = newAccount();
      const { body } = await api()
        .post('/api/auth/signup')
        .send({ ...account, [field]: 'admin' });
      expect(body).toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ path: field }] });
      expect(await world.node.container.stores.users.findUserByLogin(account.username)).toBeNull();
    },
  );
});

describe('login', () => {
  test('by username in any case, or by e-mail address in any case, is 200 with the account', async () => {
    const user = await signUp(world.url);
    for (const username of [user.username, user.username.toUpperCase(), user.email, user.email.toUpperCase()]) {
      const { status, body } = await api().post('/api/auth/login').send({ username, password: PASSWORD });
      expect([status, body.user?.id]).toEqual([200, user.id]);
    }
  });

  test('an unknown user and a wrong password are one answer', async () => {
    const user = await signUp(world.url);
    const attempt = async (username: string) => {
      const { status, body, headers } = await api()
        .post('/api/auth/login')
        .set('X-Request-Id', 'same')
        .send({ username, password: 'Wrong-Horse-7' });
      const { date: _date, ...rest } = headers;
      return { status, body, headers: rest };
    };
    const known = await attempt(user.username);
    expect(known).toMatchObject({ status: 401, body: { code: 'INVALID_CREDENTIALS' } });
    expect(await attempt(newAccount().username)).toEqual(known);
    expect(await attempt(newAccount().email)).toEqual(known);
  });

  test('an unknown user, a wrong password and a disabled account cost the same hashing', async () => {
    const { container } = world.node;
    const passwords = createPasswords(container.config.auth, container.lifecycle);
    const auth = createAuthService({ ...container, passwords });
    const disabled = await signUp(world.url);
    await container.stores.users.updateUser(disabled.id, { status: 'disabled' }, new Date());
    const workOf = async (username: string): Promise<number> => {
      const before = passwords.completed();
      const attempt = auth.login({ username, password: 'Wrong-Horse-7' }, { ip: '', device: '' });
      await expect(attempt).rejects.toMatchObject({ code: 'INVALID_CREDENTIALS' });
      return passwords.completed() - before;
    };
    const { username } = await signUp(world.url);
    const work = [await workOf(username), await workOf(newAccount().username), await workOf(disabled.username)];
    expect(work).toEqual([1, 1, 1]);
  });

  test('a disabled account is told so only to who knows the password', async () => {
    const user = await signUp(world.url);
    const { stores } = world.node.container;
    await stores.users.updateUser(user.id, { status: 'disabled' }, new Date());
    const wrong = await api().post('/api/auth/login').send({ username: user.username, password: 'Wrong-Horse-7' });
    const right = await api().post('/api/auth/login').send({ username: user.username, password: PASSWORD });
    expect(wrong.body).toEqual(problem(401, 'INVALID_CREDENTIALS'));
    expect(right.body).toEqual(problem(403, 'ACCOUNT_DISABLED'));
    expect(right.headers['set-cookie']).toBeUndefined();
  });

  test('a hash of another cost, at a login, is made anew; and the login is remembered', async () => {
    const user = await signUp(world.url);
    const { stores, lifecycle } = world.node.container;
    const dearer = createPasswords({ bcryptCost: 5, passwordPepper: null }, lifecycle);
    const passwordHash = await dearer.hash(PASSWORD);
    await stores.users.updateUser(user.id, { passwordHash, lastLoginAt: null }, new Date());
    for (const _ of ['rehashes', 'works with the new hash']) await logIn(world.url, user);
    const after = await stores.users.findUser(user.id);
    expect(passwordHash).toMatch(/^bcrypt-hmac\$\$2[aby]\$05\$/);
    expect(after?.passwordHash).toMatch(/^bcrypt-hmac\$\$2[aby]\$04\$/);
    expect(after?.lastLoginAt).toBeInstanceOf(Date);
  });

  test.each([
    [{}],
    [{ username: 'x' }],
    [{ username: { $ne: null }, password: { $ne: null } }],
    [{ username: ['a'], password: 'x' }],
    [{ username: 'x', password: 'x', remember: true }],
    [{ username: 'x', password: 'x'.repeat(1025) }],
    [{ username: 'x', password: '' }],
    [[]],
  ])('a body of %j is 400', async (body) => {
    const answer = await api().post('/api/auth/login').send(body);
    expect(answer.body).toEqual(problem(400, 'VALIDATION_FAILED'));
  });
});

describe('me', () => {
  test('reading it, with the token, gives the user and nothing of the password', async () => {
    const user = await signUp(world.url);
    const { status, body, text } = await api().get('/api/auth/me').set(bearer(user.accessToken));
    expect(status).toBe(200);
    expect(body.user).toMatchObject({ id: user.id, username: user.username, email: user.email, role: 'user' });
    const fields = ['id', 'username', 'email', 'emailVerified', 'role', 'status', 'mfaEnabled'];
    const all = [...fields, 'createdAt', 'updatedAt', 'lastLoginAt'];
    expect(Object.keys(body.user).toSorted()).toEqual(all.toSorted());
    expect(text).not.toMatch(/hash|bcrypt/i);
  });

  test.each([
    ['get', '/api/auth/me'],
    ['patch', '/api/auth/me'],
    ['delete', '/api/auth/me'],
    ['post', '/api/auth/ticket'],
    ['post', '/api/auth/logout'],
    ['post', '/api/auth/refresh'],
  ] as const)('%s %s, without credentials, is UNAUTHENTICATED', async (method, path) => {
    const { body } = await api()[method](path).send({});
    expect(body).toEqual(problem(401, 'UNAUTHENTICATED'));
  });

  test('name and username, changed, are changed; fullName null removes it; an empty change changes nothing', async () => {
    const user = await signUp(world.url);
    const patch = (body: object) => api().patch('/api/auth/me').set(bearer(user.accessToken)).send(body);
    const username = newAccount().username;
    expect((await patch({ fullName: 'Ada', username })).body.user).toMatchObject({ fullName: 'Ada', username });
    const before = (await patch({})).body.user;
    expect((await patch({})).body.user).toEqual(before);
    expect((await patch({ fullName: null })).body.user).not.toHaveProperty('fullName');
    await api().post('/api/auth/login').send({ username, password: PASSWORD }).expect(200);
  });

  test('the e-mail address, changed, needs the current password, and is not verified then', async () => {
    const user = await signUp(world.url);
    const { stores } = world.node.container;
    await stores.users.updateUser(user.id, { emailVerified: true }, new Date());
    const patch = (body: object) => api().patch('/api/auth/me').set(bearer(user.accessToken)).send(body);
    const { email } = newAccount();
    expect((await patch({ email })).body).toMatchObject({
      code: 'VALIDATION_FAILED',
      errors: [{ path: 'currentPassword' }],
    });
    expect((await patch({ email, currentPassword: 'Wrong-Horse-7' })).body).toEqual(
      problem(401, 'INVALID_CREDENTIALS'),
    );
    expect((await stores.users.findUser(user.id))?.email).toBe(user.email);
    const { body } = await patch({ email: email.toUpperCase(), currentPassword: PASSWORD });
    expect(body.user).toMatchObject({ email, emailVerified: false });
  });

  test('a taken username or address, asked for, is 409', async () => {
    const [user, other] = await Promise.all([signUp(world.url), signUp(world.url)]);
    const patch = (body: object) => api().patch('/api/auth/me').set(bearer(user.accessToken)).send(body);
    expect((await patch({ username: other.username })).body).toEqual(problem(409, 'USERNAME_TAKEN'));
    expect((await patch({ email: other.email, currentPassword: PASSWORD })).body).toEqual(problem(409, 'EMAIL_TAKEN'));
  });

  test.each(['role', 'status', 'emailVerified', 'id', 'password', 'passwordHash', 'lastLoginAt', 'ownerId'])(
    '%s, asked to be changed, is refused by name and stays',
    async (field) => {
      const user = await signUp(world.url);
      const before = await world.node.container.stores.users.findUser(user.id);
      const { body } = await api()
        .patch('/api/auth/me')
        .set(bearer(user.accessToken))
        .send({ [field]: 'admin' });
      expect(body).toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ path: field }] });
      expect(await world.node.container.stores.users.findUser(user.id)).toEqual(before);
    },
  );

  test('the account, deleted with the password, is gone with everything, and its tokens with it', async () => {
    const user = await signUp(world.url);
    const { stores, events } = world.node.container;
    const ended: string[] = [];
    events.subscribe('accountEnded', ({ ownerId }) => ended.push(ownerId));
    const chat = await api()
      .post('/api/chat/sessions')
      .set(bearer(user.accessToken))
      .send({ title: 'mine' })
      .expect(201);
    const remove = (body: object) => api().delete('/api/auth/me').set(bearer(user.accessToken)).send(body);

    expect((await remove({})).body).toEqual(problem(400, 'VALIDATION_FAILED'));
    expect((await remove({ password: 'Wrong-Horse-7' })).body).toEqual(problem(401, 'INVALID_CREDENTIALS'));
    await api().get('/api/auth/me').set(bearer(user.accessToken)).expect(200);

    const { status, headers } = await remove({ password: PASSWORD });
    expect(status).toBe(204);
    expect(headers['set-cookie']).toHaveLength(2);
    expect(ended).toEqual([user.id]);
    expect(await stores.users.findUser(user.id)).toBeNull();
    expect(await stores.users.findUserByLogin(user.email)).toBeNull();
    const chatId = String(chat.body.id ?? chat.body.chat?.id);
    expect(await stores.chats.findChat(user.id, chatId)).toBeNull();
    expect((await api().get('/api/auth/me').set(bearer(user.accessToken))).body).toEqual(problem(401, 'TOKEN_REVOKED'));
    const refreshed = await api().post('/api/auth/refresh').send({ refreshToken: user.refreshToken });
    expect(refreshed.body).toEqual(problem(401, 'TOKEN_REVOKED'));
    const { username, email, password } = user;
    await api().post('/api/auth/signup').send({ username, email, password }).expect(201);
  });
});

describe('every route', () => {
  test.each(['signup', 'register', 'login', 'token', 'refresh', 'logout', 'ticket'])(
    'GET /api/auth/%s is 405 with Allow',
    async (name) => {
      const { body, headers } = await api().get(`/api/auth/${name}`);
      expect(body).toEqual(problem(405, 'METHOD_NOT_ALLOWED'));
      expect(headers.allow).toBe('POST, OPTIONS');
    },
  );

  test('answers, right and wrong, are not cached and carry the security headers', async () => {
    for (const answer of [await api().get('/api/auth/me'), await api().post('/api/auth/signup').send(newAccount())]) {
      expect(answer.headers).toMatchObject({
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'strict-transport-security': 'max-age=31536000; includeSubDomains',
        'content-security-policy': "default-src 'none';base-uri 'none';form-action 'none';frame-ancestors 'none'",
      });
      expect(answer.headers).not.toHaveProperty('x-powered-by');
    }
  });
});
