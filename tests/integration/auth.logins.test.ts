import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { createHmac } from 'node:crypto';
import request from 'supertest';
import { bearer, logIn, signUp, startClockNode, type ClockNode, type Tokens } from '../support/accounts.ts';

const SECOND_MS = 1000;
const DAY_MS = 86_400_000;

let node: ClockNode;
beforeAll(async () => {
  node = await startClockNode();
});
afterAll(() => node.stop());

const api = () => request(node.url);
const problem = (status: number, code: string) => expect.objectContaining({ status, code });
const me = (token: string) => api().get('/api/auth/me').set(bearer(token));
const refresh = (refreshToken: string) => api().post('/api/auth/refresh').send({ refreshToken });
const endedLogins = (): string[] => {
  const ended: string[] = [];
  node.node.container.events.subscribe('loginEnded', ({ loginId }) => ended.push(loginId));
  return ended;
};
const loginIdOf = ({ accessToken }: Tokens): string => {
  const claims = jwt.decode(accessToken);
  return claims !== null && typeof claims === 'object' ? String(claims.sid) : '';
};

describe('refresh', () => {
  test('a refresh token, used, gives the next one and a new access token of the same login', async () => {
    const user = await signUp(node.url);
    const { status, body } = await refresh(user.refreshToken);
    expect(status).toBe(200);
    expect(body).toMatchObject({ user: { id: user.id }, tokenType: 'Bearer', expiresIn: 900 });
    expect(body.refreshToken).not.toBe(user.refreshToken);
    expect(loginIdOf(body)).toBe(loginIdOf(user));
    await me(body.accessToken).expect(200);
    await me(user.accessToken).expect(200);
    expect((await refresh(body.refreshToken)).status).toBe(200);
  });

  test('what is stored of a login is no token', async () => {
    const user = await signUp(node.url);
    const { body } = await refresh(user.refreshToken);
    const stored = JSON.stringify(await node.node.container.stores.logins.findLogin(loginIdOf(user)));
    for (const token of [user.refreshToken, body.refreshToken, user.accessToken]) expect(stored).not.toContain(token);
  });

  test('fifty refreshes of one token at once give fifty times the same child', async () => {
    const user = await signUp(node.url);
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(user.refreshToken)));
    expect(answers.map((answer) => answer.status)).toEqual(Array<number>(50).fill(200));
    expect(new Set(answers.map((answer) => answer.body.refreshToken)).size).toBe(1);
    const login = await node.node.container.stores.logins.findLogin(loginIdOf(user));
    expect(login).toMatchObject({ generation: 1, endedAt: null });
    expect((await refresh(answers[0]?.body.refreshToken)).status).toBe(200);
  });

  test('a spent token within 10 s gives the same child; the moment after, it ends the login for good', async () => {
    const user = await signUp(node.url);
    const ended = endedLogins();
    const child = (await refresh(user.refreshToken)).body;
    node.advance(10 * SECOND_MS);
    expect((await refresh(user.refreshToken)).body.refreshToken).toBe(child.refreshToken);
    await me(child.accessToken).expect(200);
    node.advance(1);
    expect((await refresh(user.refreshToken)).body).toEqual(problem(401, 'TOKEN_REVOKED'));
    expect(ended).toEqual([loginIdOf(user)]);
    expect((await refresh(child.refreshToken)).body).toEqual(problem(401, 'TOKEN_REVOKED'));
    expect((await me(child.accessToken)).body).toEqual(problem(401, 'TOKEN_REVOKED'));
  });

  test('a grandparent, even at once, ends the login; other logins of the user stay', async () => {
    const user = await signUp(node.url);
    const other = await logIn(node.url, user);
    const child = (await refresh(user.refreshToken)).body;
    const grandchild = (await refresh(child.refreshToken)).body;
    expect((await refresh(user.refreshToken)).body).toEqual(problem(401, 'TOKEN_REVOKED'));
    expect((await refresh(grandchild.refreshToken)).body).toEqual(problem(401, 'TOKEN_REVOKED'));
    expect((await me(grandchild.accessToken)).body).toEqual(problem(401, 'TOKEN_REVOKED'));
    await me(other.accessToken).expect(200);
    expect((await refresh(other.refreshToken)).status).toBe(200);
  });

  test('a forged token is TOKEN_INVALID and does no harm to the login that it names', async () => {
    const user = await signUp(node.url);
    const bytes = Buffer.from(user.refreshToken, 'base64url');
    const forged = Buffer.from(bytes);
    forged.writeUInt32BE(7, 16);
    const wrongMac = Buffer.concat([bytes.subarray(0, 20), createHmac('sha256', 'x').update('y').digest()]);
    for (const token of [
      forged.toString('base64url'),
      wrongMac.toString('base64url'),
      'nonsense',
      user.accessToken.slice(0, 500),
    ]) {
      expect((await refresh(token)).body).toEqual(problem(401, 'TOKEN_INVALID'));
    }
    expect((await refresh(user.refreshToken)).status).toBe(200);
  });

  test('a login that is used stays beyond 7 days, and one that is not does not', async () => {
    const user = await signUp(node.url);
    const idle = await logIn(node.url, user);
    node.advance(7 * DAY_MS - SECOND_MS);
    const used = (await refresh(user.refreshToken)).body;
    node.advance(2 * SECOND_MS);
    expect((await refresh(idle.refreshToken)).body).toEqual(problem(401, 'TOKEN_REVOKED'));
    expect((await refresh(used.refreshToken)).status).toBe(200);
  });

  test('a login, however often it is used, ends after 30 days, and its last access token with it', async () => {
    const user = await signUp(node.url);
    let tokens: Tokens = user;
    for (let day = 0; day < 29; day += 6) {
      node.advance(day === 24 ? 6 * DAY_MS - 60 * SECOND_MS : 6 * DAY_MS);
      const { status, body } = await refresh(tokens.refreshToken);
      expect([day, status]).toEqual([day, 200]);
      expect(body.expiresIn).toBe(day === 24 ? 60 : 900);
      tokens = body;
    }
    node.advance(61 * SECOND_MS);
    expect((await refresh(tokens.refreshToken)).body).toEqual(problem(401, 'TOKEN_REVOKED'));
  });

  test('a disabled user’s refresh is TOKEN_REVOKED', async () => {
    const user = await signUp(node.url);
    await node.node.container.stores.users.updateUser(user.id, { status: 'disabled' }, new Date());
    expect((await refresh(user.refreshToken)).body).toEqual(problem(401, 'TOKEN_REVOKED'));
  });

  test.each([
    [{ refreshToken: 7 }],
    [{ refreshToken: { $ne: null } }],
    [{ refreshToken: 'x'.repeat(513) }],
    [{ token: 'x' }],
  ])('a body of %j is VALIDATION_FAILED', async (body) => {
    expect((await api().post('/api/auth/refresh').send(body)).body).toEqual(problem(400, 'VALIDATION_FAILED'));
  });
});

describe('logout', () => {
  test('this login ends at once, its refresh token too, and no other', async () => {
    const user = await signUp(node.url);
    const other = await logIn(node.url, user);
    const ended = endedLogins();
    await me(user.accessToken).expect(200);
    await api().post('/api/auth/logout').set(bearer(user.accessToken)).expect(204);
    expect(ended).toEqual([loginIdOf(user)]);
    expect((await me(user.accessToken)).body).toEqual(problem(401, 'TOKEN_REVOKED'));
    expect((await refresh(user.refreshToken)).body).toEqual(problem(401, 'TOKEN_REVOKED'));
    await me(other.accessToken).expect(200);
    expect((await refresh(other.refreshToken)).status).toBe(200);
  });

  test('with all=true every login of the user ends, and nobody else’s', async () => {
    const [user, stranger] = await Promise.all([signUp(node.url), signUp(node.url)]);
    const others = [await logIn(node.url, user), await logIn(node.url, user)];
    for (const { accessToken } of [user, ...others, stranger]) await me(accessToken).expect(200);
    await api().post('/api/auth/logout?all=true').set(bearer(user.accessToken)).expect(204);
    for (const tokens of [user, ...others]) {
      expect((await me(tokens.accessToken)).body).toEqual(problem(401, 'TOKEN_REVOKED'));
      expect((await refresh(tokens.refreshToken)).body).toEqual(problem(401, 'TOKEN_REVOKED'));
    }
    await me(stranger.accessToken).expect(200);
  });

  test('again, it is TOKEN_REVOKED; a foreign query is refused', async () => {
    const user = await signUp(node.url);
    const logout = (query = '') => api().post(`/api/auth/logout${query}`).set(bearer(user.accessToken));
    expect((await logout('?everyone=true')).body).toEqual(problem(400, 'VALIDATION_FAILED'));
    expect((await logout('?all=perhaps')).body).toEqual(problem(400, 'VALIDATION_FAILED'));
    await logout().expect(204);
    expect((await logout()).body).toEqual(problem(401, 'TOKEN_REVOKED'));
  });
});

describe('access tokens at the door', () => {
  test('a token is good for its 15 minutes, then TOKEN_EXPIRED until it is refreshed', async () => {
    const user = await signUp(node.url);
    node.advance(15 * 60 * SECOND_MS - SECOND_MS);
    await me(user.accessToken).expect(200);
    node.advance(2 * SECOND_MS);
    expect((await me(user.accessToken)).body).toEqual(problem(401, 'TOKEN_EXPIRED'));
    await me((await refresh(user.refreshToken)).body.accessToken).expect(200);
  });

  test('whatever is wrong with a token, the answer is one 401 body', async () => {
    const user = await signUp(node.url);
    const [header = '', claims = '', signature = ''] = user.accessToken.split('.');
    const none = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url');
    const tokens = [
      `${none}.${claims}.`,
      `${header}.${claims}.`,
      `${header}.${claims}.${signature.slice(1)}`,
      jwt.sign({ sub: user.id }, 'k'.repeat(48)),
      jwt.sign({ sub: user.id }, 'k'.repeat(64), { algorithm: 'HS512' }),
      user.refreshToken,
      `parley_sk_${'x'.repeat(40)}`,
      'x'.repeat(8000),
    ];
    const answers = await Promise.all(tokens.map((token) => me(token).set('X-Request-Id', 'same')));
    expect(new Set(answers.map((answer) => answer.text)).size).toBe(1);
    expect(answers[0]?.body).toEqual(problem(401, 'TOKEN_INVALID'));
  });

  test('a token whose login another node ended is refused within 30 s', async () => {
    const user = await signUp(node.url);
    await me(user.accessToken).expect(200);
    await node.node.container.stores.logins.endLogin(user.id, loginIdOf(user), new Date());
    node.advance(30 * SECOND_MS);
    expect((await me(user.accessToken)).body).toEqual(problem(401, 'TOKEN_REVOKED'));
  });

  test('a role that was changed, felt within 30 s, is the new one whatever the token says', async () => {
    const user = await signUp(node.url);
    const { container } = node.node;
    const roleNow = async () => (await container.auth.authenticate({ via: 'bearer', token: user.accessToken })).role;
    expect(await roleNow()).toBe('user');
    await container.stores.users.updateUser(user.id, { role: 'manager' }, new Date());
    node.advance(30 * SECOND_MS);
    expect(await roleNow()).toBe('manager');
  });

  test('a steady client, asking a hundred times, costs one read of its login and one of its user', async () => {
    const user = await signUp(node.url);
    const { auth, stores } = node.node.container;
    const reads = [jest.spyOn(stores.logins, 'findLogin'), jest.spyOn(stores.users, 'findUser')];
    for (let index = 0; index < 100; index += 1) await auth.authenticate({ via: 'bearer', token: user.accessToken });
    expect(reads.map((read) => read.mock.calls.length)).toEqual([1, 1]);
    for (const read of reads) read.mockRestore();
  });
});

describe('tickets', () => {
  const ticketOf = async (token: string): Promise<string> => {
    const { status, body } = await api().post('/api/auth/ticket').set(bearer(token));
    expect(status).toBe(200);
    expect(body).toEqual({ ticket: expect.stringMatching(/^[\w-]{51}$/), expiresIn: 30 });
    return body.ticket;
  };
  const spend = (ticket: string) => node.node.container.auth.authenticate({ via: 'ticket', token: ticket });
  const follow = (query: string) => api().get(`/api/chat/messages/01a1ff50-6075-7758-a407-f327b153a637/stream${query}`);

  test('a ticket, spent, stands for its maker once, of any number of tries at once', async () => {
    const user = await signUp(node.url);
    const ticket = await ticketOf(user.accessToken);
    const tries = await Promise.allSettled(Array.from({ length: 20 }, () => spend(ticket)));
    const actors = tries.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(actors).toEqual([
      expect.objectContaining({ userId: user.id, loginId: loginIdOf(user), via: 'ticket', scopes: ['chat', 'read'] }),
    ]);
  });

  test('a ticket on the address of a stream is let in; used again, it is TOKEN_INVALID', async () => {
    const user = await signUp(node.url);
    const ticket = await ticketOf(user.accessToken);
    expect((await follow(`?ticket=${ticket}`)).body).toEqual(problem(404, 'MESSAGE_NOT_FOUND'));
    expect((await follow(`?ticket=${ticket}`)).body).toEqual(problem(401, 'TOKEN_INVALID'));
    expect((await follow('')).body).toEqual(problem(401, 'UNAUTHENTICATED'));
  });

  test('a ticket anywhere else counts for nothing', async () => {
    const user = await signUp(node.url);
    const ticket = await ticketOf(user.accessToken);
    expect((await api().get(`/api/auth/me?ticket=${ticket}`)).body).toEqual(problem(401, 'UNAUTHENTICATED'));
    expect((await api().post(`/api/auth/ticket?ticket=${ticket}`)).body).toEqual(problem(401, 'UNAUTHENTICATED'));
  });

  test('a ticket ends with the token that it was bought with, and no other time can be written into it', async () => {
    const user = await signUp(node.url);
    const endOf = (token: string): number => Number(JSON.parse(atob(token.split('.')[1] ?? '')).exp) * SECOND_MS;
    const bought = await spend(await ticketOf(user.accessToken));
    expect(bought.expiresAt?.getTime()).toBe(endOf(user.accessToken));

    const bytes = Buffer.from(await ticketOf(user.accessToken), 'base64url');
    bytes.writeUIntBE(bytes.readUIntBE(32, 6) + 60 * SECOND_MS, 32, 6);
    await expect(spend(bytes.toString('base64url'))).rejects.toMatchObject({ code: 'TOKEN_INVALID' });

    node.advance(15 * 60 * SECOND_MS - 10 * SECOND_MS);
    const last = await ticketOf(user.accessToken);
    node.advance(10 * SECOND_MS);
    expect((await follow(`?ticket=${last}`)).body).toEqual(problem(401, 'TOKEN_EXPIRED'));
  });

  test('a ticket after 30 s, or of a login that has ended, is no good', async () => {
    const user = await signUp(node.url);
    const late = await ticketOf(user.accessToken);
    node.advance(30 * SECOND_MS);
    await expect(spend(late)).rejects.toMatchObject({ code: 'TOKEN_INVALID' });
    const ticket = await ticketOf(user.accessToken);
    await api().post('/api/auth/logout').set(bearer(user.accessToken)).expect(204);
    await expect(spend(ticket)).rejects.toMatchObject({ code: 'TOKEN_REVOKED' });
  });
});
