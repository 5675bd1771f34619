import { afterEach, describe, expect, test } from '@jest/globals';
import request from 'supertest';
import { bearer, newAccount, PASSWORD, signUp } from '../support/accounts.ts';
import { startWorld, type World } from '../support/world.ts';

const worlds: World[] = [];
const start = async (env: Record<string, string>): Promise<World> => {
  const world = await startWorld({ env });
  worlds.push(world);
  return world;
};
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.stop();
});

const login = (world: World, headers: Record<string, string> = {}) =>
  request(world.url).post('/api/auth/login').set(headers).send({ username: 'nobody', password: PASSWORD });
const statuses = async (count: number, send: (index: number) => PromiseLike<{ status: number }>): Promise<number[]> => {
  const seen: number[] = [];
  for (let index = 0; index < count; index += 1) seen.push((await send(index)).status);
  return seen;
};

describe('the limit of logins', () => {
  test('after five a minute from one address, the sixth is RATE_LIMITED with draft-8 headers and Retry-After', async () => {
    const world = await start({ RATE_LIMIT_AUTH_PER_MINUTE: '5' });
    const first = await login(world);
    expect(first.headers.ratelimit).toMatch(/^"auth"; r=4; t=\d+$/);
    expect(first.headers['ratelimit-policy']).toMatch(/^"auth"; q=5; w=60; pk=:[\w+/=]+:$/);
    expect(first.headers).not.toHaveProperty('x-ratelimit-limit');
    expect(await statuses(4, () => login(world))).toEqual([401, 401, 401, 401]);

    const { status, body, headers } = await login(world);
    expect(status).toBe(429);
    expect(headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(headers.ratelimit).toMatch(/^"auth"; r=0; t=\d+$/);
    const seconds = Number(headers['retry-after']);
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
    expect(body).toMatchObject({ code: 'RATE_LIMITED', status: 429, retryable: true, retryAfterMs: seconds * 1000 });
  });

  test('signup, register, login and the password grant share it; refresh and the rest do not', async () => {
    const world = await start({ RATE_LIMIT_AUTH_PER_MINUTE: '4' });
    const api = request(world.url);
    const grant = (form: object) => api.post('/api/auth/token').type('form').send(form);
    const user = await signUp(world.url);
    await api.post('/api/auth/register').send(newAccount()).expect(201);
    expect((await login(world)).status).toBe(401);
    expect((await grant({ grant_type: 'password', username: 'nobody', password: 'x' })).status).toBe(400);
    expect((await grant({ grant_type: 'password', username: 'nobody', password: 'x' })).status).toBe(429);
    expect((await api.post('/api/auth/signup').send(newAccount())).status).toBe(429);
    expect((await grant({ grant_type: 'refresh_token', refresh_token: user.refreshToken })).status).toBe(200);
    expect((await api.get('/api/auth/me').set(bearer(user.accessToken))).status).toBe(200);
  });

  test('without TRUST_PROXY, an address that the client makes up changes nothing', async () => {
    const world = await start({ RATE_LIMIT_AUTH_PER_MINUTE: '3' });
    const seen = await statuses(6, (index) => login(world, { 'X-Forwarded-For': `198.51.100.${String(index)}` }));
    expect(seen).toEqual([401, 401, 401, 429, 429, 429]);
  });

  test('behind one proxy, only the address that the proxy wrote counts, however many the client puts before it', async () => {
    const world = await start({ RATE_LIMIT_AUTH_PER_MINUTE: '3', TRUST_PROXY: '1' });
    const from = (real: string) => (index: number) =>
      login(world, { 'X-Forwarded-For': `203.0.113.${String(index)}, ${real}` });
    expect(await statuses(5, from('198.51.100.7'))).toEqual([401, 401, 401, 429, 429]);
    expect(await statuses(1, from('198.51.100.8'))).toEqual([401]);
  });

  test('the addresses of one IPv6 customer (/56) count as one', async () => {
    const world = await start({ RATE_LIMIT_AUTH_PER_MINUTE: '3', TRUST_PROXY: '1' });
    const from = (index: number) =>
      login(world, { 'X-Forwarded-For': `2001:db8:0:22${String(index)}0::${String(index)}` });
    expect(await statuses(5, from)).toEqual([401, 401, 401, 429, 429]);
    expect((await login(world, { 'X-Forwarded-For': '2001:db8:0:2300::1' })).status).toBe(401);
  });

  test('0 turns it off: no refusal, no header', async () => {
    const world = await start({ RATE_LIMIT_AUTH_PER_MINUTE: '0' });
    expect(await statuses(12, () => login(world))).toEqual(Array<number>(12).fill(401));
    expect((await login(world)).headers).not.toHaveProperty('ratelimit');
  });

  test('a limit that is reached is counted and logged once, without a secret', async () => {
    const world = await start({ RATE_LIMIT_AUTH_PER_MINUTE: '1' });
    await statuses(4, () => login(world));
    expect(await world.node.container.metrics.value('limit_hits_total', { limit: 'auth' })).toBe(1);
    const lines = world.logs().filter((line) => line.message === 'limit reached');
    expect(lines).toEqual([
      expect.objectContaining({ component: 'limits', limit: 'auth', key: expect.stringMatching(/^ip:/) }),
    ]);
  });
});

describe('the limit of all else', () => {
  test('is per user wherever the requests come from, and does not count logins', async () => {
    const world = await start({ RATE_LIMIT_API_PER_MINUTE: '3', TRUST_PROXY: '1' });
    const [user, other] = [await signUp(world.url), await signUp(world.url)];
    const me = (token: string, address: string) =>
      request(world.url)
        .get('/api/auth/me')
        .set({ ...bearer(token), 'X-Forwarded-For': address });
    expect((await me(user.accessToken, '198.51.100.1')).headers.ratelimit).toMatch(/^"api"; r=2; /);
    const seen = await statuses(3, (index) => me(user.accessToken, `198.51.100.${String(index)}`));
    expect(seen).toEqual([200, 200, 429]);
    expect((await me(other.accessToken, '198.51.100.1')).status).toBe(200);
  });

  test('is per address for who is not known, also with a token that is no good', async () => {
    const world = await start({ RATE_LIMIT_API_PER_MINUTE: '3' });
    const me = (index: number) =>
      request(world.url)
        .get('/api/auth/me')
        .set(bearer(`made up ${String(index)}`.replaceAll(' ', '')));
    expect(await statuses(5, me)).toEqual([401, 401, 401, 429, 429]);
  });

  test('a preflight does not count', async () => {
    const world = await start({ RATE_LIMIT_API_PER_MINUTE: '1' });
    const headers = { Origin: world.url, 'Access-Control-Request-Method': 'PATCH' };
    expect(await statuses(3, () => request(world.url).options('/api/auth/me').set(headers))).toEqual([204, 204, 204]);
  });
});
