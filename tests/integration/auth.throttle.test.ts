import { afterEach, describe, expect, test } from '@jest/globals';
import request from 'supertest';
import {
  bearer,
  cookiesOf,
  newAccount,
  PASSWORD,
  signUp,
  startClockNode,
  type ClockNode,
} from '../support/accounts.ts';

const MINUTE_MS = 60_000;
/** So that what comes at once is checked at once. */
const SLOW_HASHES = { BCRYPT_COST: '9' };

const nodes: ClockNode[] = [];
const start = async (env: Record<string, string> = {}): Promise<ClockNode> => {
  const node = await startClockNode({ LOGIN_THROTTLE: 'true', TRUST_PROXY: '1', ...env });
  nodes.push(node);
  return node;
};
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
});

let addresses = 0;
/** Nobody has come from there yet. */
const newAddress = (): string => {
  addresses += 1;
  return `198.51.${String(addresses >> 8)}.${String(addresses & 255)}`;
};

interface Try {
  readonly password?: string;
  readonly from?: string;
  readonly deviceToken?: string;
}

const login = ({ url }: ClockNode, username: string, { password = 'Wrong-Horse-7', from, deviceToken }: Try = {}) =>
  request(url)
    .post('/api/auth/login')
    .set('X-Forwarded-For', from ?? newAddress())
    .send({ username, password, session: 'token', ...(deviceToken === undefined ? {} : { deviceToken }) });

const codes = async (count: number, send: (index: number) => PromiseLike<request.Response>): Promise<string[]> => {
  const seen: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const { body, headers } = await send(index);
    seen.push(body.code === 'TOO_MANY_FAILURES' ? `wait ${String(headers['retry-after'])}` : (body.code ?? 'in'));
  }
  return seen;
};
const WRONG = 'INVALID_CREDENTIALS';
const fiveWrong = Array<string>(5).fill(WRONG);

describe('wrong passwords of one account', () => {
  test('five are free, then the wait doubles up to 15 minutes, wherever they come from; the right one clears it', async () => {
    const node = await start();
    const user = await signUp(node.url);
    expect(await codes(7, () => login(node, user.username))).toEqual([...fiveWrong, 'wait 1', 'wait 1']);
    const waits = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900];
    for (const seconds of waits) {
      expect(await codes(1, () => login(node, user.username))).toEqual([`wait ${String(seconds)}`]);
      node.advance(seconds * 1000 - 1);
      expect(await codes(1, () => login(node, user.username))).toEqual(['wait 1']);
      node.advance(1);
      if (seconds < 900) expect(await codes(1, () => login(node, user.username))).toEqual([WRONG]);
      else break;
    }
    expect(await codes(1, () => login(node, user.username, { password: PASSWORD }))).toEqual(['in']);
    expect(await codes(6, () => login(node, user.username))).toEqual([...fiveWrong, 'wait 1']);
  });

  test('are answered like those of a name that is nobody’s, in status, body and wait', async () => {
    const node = await start();
    const user = await signUp(node.url);
    const answers = async (name: string) => {
      const seen = [];
      for (let count = 0; count < 7; count += 1) {
        const { status, body, headers } = await login(node, name);
        seen.push({ status, retry: headers['retry-after'], body: { ...body, requestId: '' } });
      }
      return seen;
    };
    const known = await answers(user.username);
    expect(known.at(-1)).toMatchObject({ status: 429, body: { code: 'TOO_MANY_FAILURES', retryAfterMs: 1000 } });
    expect(await answers(newAccount().username)).toEqual(known);
  });

  test('are counted apart for its username and its address, so that no refusal tells which address is whose', async () => {
    const node = await start();
    const user = await signUp(node.url);
    const locked = [...fiveWrong, 'wait 1'];
    expect(await codes(6, () => login(node, user.username))).toEqual(locked);
    // Its own address, somebody else's and nobody's are answered alike.
    const stranger = await signUp(node.url);
    for (const address of [user.email, stranger.email, newAccount().email]) {
      expect(await codes(6, () => login(node, address))).toEqual(locked);
    }
    node.advance(1000);
    expect(await codes(1, () => login(node, user.username, { password: PASSWORD }))).toEqual(['in']);
    node.advance(-1000);
    // Nor does a right password under one name open the other.
    expect(await codes(1, () => login(node, user.email))).toEqual(['wait 1']);
  });

  test('guessed 30 at once, get five answers', async () => {
    const node = await start(SLOW_HASHES);
    const user = await signUp(node.url);
    const answers = await Promise.all(Array.from({ length: 30 }, () => login(node, user.username)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 401)).toHaveLength(5);
    expect(statuses.filter((status) => status === 429)).toHaveLength(25);
  });

  test('the right password, 20 times at once, is let in 20 times', async () => {
    const node = await start(SLOW_HASHES);
    const user = await signUp(node.url);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => login(node, user.username, { password: PASSWORD, from: '203.0.113.9' })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array<number>(20).fill(200));
  });

  test('count at the password grant and in the history, and the refusal is no OAuth error but a 429', async () => {
    const node = await start();
    const user = await signUp(node.url);
    const grant = () =>
      request(node.url)
        .post('/api/auth/token')
        .type('form')
        .send({ grant_type: 'password', username: user.username, password: 'Wrong-Horse-7' });
    for (let count = 0; count < 5; count += 1) expect((await grant()).body.error).toBe('invalid_grant');
    expect((await grant()).status).toBe(429);
    await node.node.container.audit.flush();
    const history = await request(node.url).get('/api/auth/history').set(bearer(user.accessToken));
    expect(history.body.items.filter(({ outcome }: { outcome: string }) => outcome === 'failure').length).toBe(6);
  });

  test('of who is signed in, when changing the password or the address, or deleting, count together', async () => {
    const node = await start();
    const user = await signUp(node.url);
    const api = request(node.url);
    const tries = [
      () => api.post('/api/auth/password').send({ currentPassword: 'x', newPassword: 'Another-Horse-8' }),
      () => api.patch('/api/auth/me').send({ email: 'x@example.com', currentPassword: 'x' }),
      () => api.delete('/api/auth/me').send({ password: 'x' }),
    ];
    const seen = await codes(6, (index) => tries[index % 3]!().set(bearer(user.accessToken)));
    expect(seen).toEqual([...fiveWrong, 'wait 1']);
    const right = { currentPassword: PASSWORD, newPassword: 'Another-Horse-8' };
    node.advance(1000);
    await api.post('/api/auth/password').set(bearer(user.accessToken)).send(right).expect(204);
  });
});

describe('a known device', () => {
  const lockOut = async (node: ClockNode, username: string) => {
    for (let count = 0; count < 5; count += 1) await login(node, username);
    for (let wait = 1; wait <= 1024; wait *= 2) {
      node.advance(wait * 1000);
      await login(node, username);
    }
    const { body } = await login(node, username, { password: PASSWORD });
    expect(body).toMatchObject({ code: 'TOO_MANY_FAILURES' });
    expect(body.retryAfterMs).toBeGreaterThan(10 * MINUTE_MS);
  };

  test('lets its user in while somebody else has locked the name and the address, by token and by cookie', async () => {
    const node = await start();
    const account = newAccount();
    const browser = await request(node.url).post('/api/auth/signup').send(account).expect(201);
    const cookie = cookiesOf(browser.headers['set-cookie']).filter((name) => name.startsWith('parley_dt='));
    expect(cookie).toHaveLength(1);
    expect(browser.body).not.toHaveProperty('deviceToken');
    const app = await login(node, account.username, { password: PASSWORD });
    expect(app.body.deviceToken).toMatch(/^[\w-]{70}$/);
    expect(app.headers).not.toHaveProperty('set-cookie');

    await lockOut(node, account.username);
    const from = newAddress();
    await codes(20, () => login(node, newAccount().username, { from }));
    const known = { password: PASSWORD, from, deviceToken: app.body.deviceToken };
    const again = await login(node, account.username, known);
    expect(again.status).toBe(200);
    const byCookie = await request(node.url)
      .post('/api/auth/login')
      .set({ 'X-Forwarded-For': from, Cookie: cookie.join('; '), Origin: node.url })
      .send({ username: account.email, password: PASSWORD });
    expect(byCookie.status).toBe(200);
    // And nobody else got in by that.
    expect((await login(node, account.username, { password: PASSWORD })).status).toBe(429);
  });

  test('is known at the password grant too, by the token that an earlier one gave', async () => {
    const node = await start();
    const user = await signUp(node.url);
    const grant = (form: object) =>
      request(node.url)
        .post('/api/auth/token')
        .set('X-Forwarded-For', newAddress())
        .type('form')
        .send({ grant_type: 'password', username: user.username, password: PASSWORD, ...form });
    const { body } = await grant({});
    await codes(6, () => login(node, user.username));
    expect((await grant({})).status).toBe(429);
    expect((await grant({ device_token: body.device_token })).status).toBe(200);
    expect((await grant({ device_token: body.device_token, password: 'Wrong-Horse-7' })).body.error).toBe(
      'invalid_grant',
    );
  });

  test('has a count of its own, five and then waits, and shares it with no other device', async () => {
    const node = await start();
    const user = await signUp(node.url);
    const [one, other] = [
      (await login(node, user.username, { password: PASSWORD })).body.deviceToken,
      (await login(node, user.username, { password: PASSWORD })).body.deviceToken,
    ];
    expect(await codes(6, () => login(node, user.username, { deviceToken: one }))).toEqual([...fiveWrong, 'wait 1']);
    const right = { password: PASSWORD };
    expect(await codes(1, () => login(node, user.username, { ...right, deviceToken: one }))).toEqual(['wait 1']);
    expect(await codes(1, () => login(node, user.username, { ...right, deviceToken: other }))).toEqual(['in']);
    expect(await codes(1, () => login(node, user.username, right))).toEqual(['in']);
  });

  test('is one only for its own user, untouched, and for 180 days; a login on it begins them anew', async () => {
    const node = await start();
    const [user, other] = [await signUp(node.url), await signUp(node.url)];
    const token: string = (await login(node, user.username, { password: PASSWORD })).body.deviceToken;
    const others: string = (await login(node, other.username, { password: PASSWORD })).body.deviceToken;
    await lockOut(node, user.username);
    const flipped = `${token.slice(0, 30)}${token[30] === 'A' ? 'B' : 'A'}${token.slice(31)}`;
    for (const deviceToken of [others, flipped, '', token.slice(1), 'A'.repeat(70)]) {
      expect((await login(node, user.username, { password: PASSWORD, deviceToken })).status).toBe(429);
    }
    node.advance(170 * 86_400_000);
    const renewed = (await login(node, user.username, { password: PASSWORD, deviceToken: token })).body.deviceToken;
    node.advance(20 * 86_400_000);
    await lockOut(node, user.username);
    expect((await login(node, user.username, { password: PASSWORD, deviceToken: token })).status).toBe(429);
    expect((await login(node, user.username, { password: PASSWORD, deviceToken: renewed })).status).toBe(200);
  });
});

describe('wrong passwords from one address', () => {
  test('of changing names, twenty in 15 minutes, then none is looked at, right ones neither; others come in', async () => {
    const node = await start();
    const user = await signUp(node.url);
    const from = newAddress();
    expect(await codes(20, () => login(node, newAccount().username, { from }))).toEqual(Array<string>(20).fill(WRONG));
    node.advance(5 * MINUTE_MS);
    expect(await codes(1, () => login(node, newAccount().username, { from }))).toEqual(['wait 600']);
    expect(await codes(1, () => login(node, user.username, { from, password: PASSWORD }))).toEqual(['wait 600']);
    expect(await codes(1, () => login(node, user.username, { password: PASSWORD }))).toEqual(['in']);
    node.advance(10 * MINUTE_MS);
    expect(await codes(1, () => login(node, user.username, { from, password: PASSWORD }))).toEqual(['in']);
  });

  test('are not cleared by a right one of one’s own, and a right one does not count', async () => {
    const node = await start();
    const user = await signUp(node.url);
    const from = newAddress();
    const names = Array.from({ length: 19 }, () => newAccount().username);
    await codes(19, (index) => login(node, names[index]!, { from }));
    expect(await codes(3, () => login(node, user.username, { from, password: PASSWORD }))).toEqual(['in', 'in', 'in']);
    expect(await codes(2, () => login(node, newAccount().username, { from }))).toEqual([WRONG, 'wait 900']);
  });

  test('are not counted with LOGIN_THROTTLE=false', async () => {
    const node = await start({ LOGIN_THROTTLE: 'false' });
    const user = await signUp(node.url);
    const seen = await codes(25, () => login(node, user.username, { from: '203.0.113.7' }));
    expect(new Set(seen)).toEqual(new Set([WRONG]));
  });
});
