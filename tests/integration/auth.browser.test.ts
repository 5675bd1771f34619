import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import request from 'supertest';
import { bearer, cookiesOf, newAccount, PASSWORD, signUp } from '../support/accounts.ts';
import { connectRaw } from '../support/rawSocket.ts';
import { startWorld, type World } from '../support/world.ts';

const APP = 'https://app.example.com';
let world: World;
beforeAll(async () => {
  world = await startWorld({ env: { TRUST_PROXY: '1', CORS_ORIGINS: `${APP},capacitor://localhost` } });
});
afterAll(() => world.stop());

const api = () => request(world.url);
const host = () => new URL(world.url).host;
const https = { 'X-Forwarded-Proto': 'https' };
const problem = (status: number, code: string) => expect.objectContaining({ status, code });

/** A browser that signed up: its cookies, and the body that it got. */
const browser = async (headers: Record<string, string> = {}) => {
  const account = newAccount();
  const { body, headers: answered } = await api().post('/api/auth/signup').set(headers).send(account).expect(201);
  const cookies = cookiesOf(answered['set-cookie']);
  return { account, body, setCookie: answered['set-cookie'] as unknown as string[], cookie: cookies.join('; ') };
};

describe('cookies', () => {
  const attributes = (cookies: readonly string[]) =>
    cookies.map((cookie) => cookie.replace(/=[^;]+/, '=…').replace(/Expires=[^;]+/, 'Expires=…'));

  test('over http, they have plain names, HttpOnly, SameSite=Lax and their paths', async () => {
    const { setCookie, body } = await browser();
    expect(attributes(setCookie)).toEqual([
      'parley_at=…; Path=/; Expires=…; HttpOnly; SameSite=Lax',
      'parley_rt=…; Path=/api/auth; Expires=…; HttpOnly; SameSite=Lax',
      'parley_dt=…; Path=/api/auth; Expires=…; HttpOnly; SameSite=Lax',
    ]);
    expect(body).not.toHaveProperty('refreshToken');
    expect(setCookie[0]).toContain(body.accessToken);
  });

  test('over https at the proxy, they are Secure and have the prefixed names', async () => {
    const { setCookie } = await browser(https);
    expect(attributes(setCookie)).toEqual([
      '__Host-parley_at=…; Path=/; Expires=…; HttpOnly; Secure; SameSite=Lax',
      '__Secure-parley_rt=…; Path=/api/auth; Expires=…; HttpOnly; Secure; SameSite=Lax',
      '__Secure-parley_dt=…; Path=/api/auth; Expires=…; HttpOnly; Secure; SameSite=Lax',
    ]);
  });

  test('what a client says of https, without a proxy that we trust, counts for nothing', async () => {
    const direct = await startWorld();
    const { headers } = await request(direct.url).post('/api/auth/signup').set(https).send(newAccount()).expect(201);
    expect(cookiesOf(headers['set-cookie'])[0]).toMatch(/^parley_at=/);
    await direct.stop();
  });

  test('where PUBLIC_URL is https and nobody told of the proxy, they are Secure with prefixes too, and work at every door', async () => {
    const page = 'https://chat.example.com';
    const proxied = await startWorld({ env: { PUBLIC_URL: page } });
    try {
      const { headers } = await request(proxied.url).post('/api/auth/signup').send(newAccount()).expect(201);
      expect(attributes(headers['set-cookie'] as unknown as string[])).toEqual([
        '__Host-parley_at=…; Path=/; Expires=…; HttpOnly; Secure; SameSite=Lax',
        '__Secure-parley_rt=…; Path=/api/auth; Expires=…; HttpOnly; Secure; SameSite=Lax',
        '__Secure-parley_dt=…; Path=/api/auth; Expires=…; HttpOnly; Secure; SameSite=Lax',
      ]);
      const sent = { Cookie: cookiesOf(headers['set-cookie']).join('; '), Origin: page };
      await request(proxied.url).get('/api/auth/me').set(sent).expect(200);
      const raw = await connectRaw(proxied.url, { headers: sent });
      expect(await raw.ask({ type: 'ping' })).toMatchObject({ type: 'pong' });
      const refreshed = await request(proxied.url).post('/api/auth/refresh').set(sent).expect(200);
      const renewed = cookiesOf(refreshed.headers['set-cookie']).join('; ');
      const left = { Cookie: renewed.replaceAll(/__(Host|Secure)-/g, ''), Origin: page };
      expect((await request(proxied.url).get('/api/auth/me').set(left)).body).toEqual(problem(401, 'UNAUTHENTICATED'));
      const silent = await request(proxied.url).post('/api/auth/logout').set('Cookie', renewed);
      expect(silent.body).toEqual(problem(403, 'ORIGIN_NOT_ALLOWED'));
      await request(proxied.url).post('/api/auth/logout').set({ Cookie: renewed, Origin: page }).expect(204);
      raw.close();
    } finally {
      await proxied.stop();
    }
  });

  test('both tokens stay for the 7 days in which the login may rest, the known device for 180', async () => {
    const { setCookie } = await browser();
    const lasting = setCookie.map((cookie) => Date.parse(/Expires=([^;]+)/.exec(cookie)?.[1] ?? '') - Date.now());
    for (const [index, limit] of [7, 7, 180].entries()) {
      const days = (lasting[index] ?? 0) / 86_400_000;
      expect(days).toBeGreaterThan(limit - 0.01);
      expect(days).toBeLessThanOrEqual(limit);
    }
  });

  test('session: token sets none and gives both tokens in the body', async () => {
    const { body, headers } = await api()
      .post('/api/auth/signup')
      .send({ ...newAccount(), session: 'token' });
    expect(headers['set-cookie']).toBeUndefined();
    expect(body).toMatchObject({ accessToken: expect.any(String), refreshToken: expect.any(String) });
  });

  test('a login by cookie reads, and a plain cookie over https does not', async () => {
    const plain = await browser();
    const secure = await browser(https);
    await api().get('/api/auth/me').set('Cookie', plain.cookie).expect(200);
    await api()
      .get('/api/auth/me')
      .set({ ...https, Cookie: secure.cookie })
      .expect(200);
    const { body } = await api()
      .get('/api/auth/me')
      .set({ ...https, Cookie: plain.cookie });
    expect(body).toEqual(problem(401, 'UNAUTHENTICATED'));
  });

  test('Bearer wins over a cookie, also when it is no good', async () => {
    const { cookie } = await browser();
    const user = await signUp(world.url);
    const get = (token: string) =>
      api()
        .get('/api/auth/me')
        .set({ ...bearer(token), Cookie: cookie });
    expect((await get(user.accessToken)).body.user.id).toBe(user.id);
    expect((await get('nonsense')).body).toEqual(problem(401, 'TOKEN_INVALID'));
  });

  test('refresh by cookie sets both cookies anew and keeps the refresh token out of the body', async () => {
    const { cookie, body: before } = await browser();
    const { body, headers } = await api()
      .post('/api/auth/refresh')
      .set({ Cookie: cookie, Origin: world.url })
      .expect(200);
    expect(body).not.toHaveProperty('refreshToken');
    const cookies = cookiesOf(headers['set-cookie']);
    expect(cookies).toHaveLength(2);
    expect(cookies.join('; ')).not.toBe(cookie);
    expect(body.user.id).toBe(before.user.id);
    await api().get('/api/auth/me').set('Cookie', cookies.join('; ')).expect(200);
  });

  test('refresh by body sets no cookie, also when there is one', async () => {
    const { cookie } = await browser();
    const user = await signUp(world.url);
    const { body, headers } = await api()
      .post('/api/auth/refresh')
      .set({ Cookie: cookie, Origin: world.url })
      .send({ refreshToken: user.refreshToken });
    expect(body).toMatchObject({ user: { id: user.id }, refreshToken: expect.any(String) });
    expect(headers['set-cookie']).toBeUndefined();
  });

  test('logout clears both and ends the login', async () => {
    const { cookie } = await browser();
    const { status, headers } = await api().post('/api/auth/logout').set({ Cookie: cookie, Origin: world.url });
    expect(status).toBe(204);
    expect(headers['set-cookie']).toEqual([
      'parley_at=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax',
      'parley_rt=; Path=/api/auth; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax',
    ]);
    expect((await api().get('/api/auth/me').set('Cookie', cookie)).body).toEqual(problem(401, 'TOKEN_REVOKED'));
  });

  test('logout with the refresh cookie alone, when the access token is gone, ends the login too', async () => {
    const { cookie, body } = await browser();
    const refreshOnly = cookie.split('; ').find((item) => item.startsWith('parley_rt='));
    await api()
      .post('/api/auth/logout')
      .set({ Cookie: refreshOnly ?? '', Origin: world.url })
      .expect(204);
    expect((await api().get('/api/auth/me').set(bearer(body.accessToken))).body).toEqual(problem(401, 'TOKEN_REVOKED'));
  });

  test('logout with cookies that are no good is 401, and clears them', async () => {
    const headers = { Cookie: 'parley_at=x; parley_rt=y', Origin: world.url };
    const answer = await api().post('/api/auth/logout').set(headers);
    expect(answer.body).toEqual(problem(401, 'TOKEN_INVALID'));
    expect(answer.headers['set-cookie']).toHaveLength(2);
  });
});

describe('requests that another site began', () => {
  const hostile = (): [string, string][] => [
    ['another site', 'https://evil.example'],
    ['null', 'null'],
    ['ours as a prefix', `${APP}.evil.example`],
    ['ours as a suffix', 'https://evilapp.example.com'],
    ['a subdomain', 'https://x.app.example.com'],
    ['another port', `${APP}:8443`],
    ['another scheme', 'http://app.example.com'],
    ['capitals', 'https://APP.example.com'],
    ['a user name', `${APP}@evil.example`],
    ['a path', `${APP}/`],
    ['the server’s host without its port', `http://${host().split(':')[0] ?? ''}`],
    ['empty', ''],
  ];
  const routes = [
    ['post', '/api/auth/signup'],
    ['post', '/api/auth/register'],
    ['post', '/api/auth/login'],
    ['post', '/api/auth/token'],
    ['post', '/api/auth/refresh'],
    ['post', '/api/auth/logout'],
    ['patch', '/api/auth/me'],
    ['delete', '/api/auth/me'],
    ['post', '/api/auth/ticket'],
  ] as const;

  test.each(routes)(
    '%s %s by cookie, from each of twelve hostile origins, is ORIGIN_NOT_ALLOWED',
    async (method, path) => {
      const { cookie } = await browser();
      const origins = hostile();
      expect(origins).toHaveLength(12);
      for (const [name, origin] of origins) {
        const { body } = await api()[method](path).set({ Cookie: cookie, Origin: origin }).send({});
        expect([name, body.code]).toEqual([name, 'ORIGIN_NOT_ALLOWED']);
      }
      const silent = await api()[method](path).set({ Cookie: cookie }).send({});
      expect(silent.body).toEqual(problem(403, 'ORIGIN_NOT_ALLOWED'));
      await api().get('/api/auth/me').set('Cookie', cookie).expect(200);
    },
  );

  test('a login that another site began, without any cookie, is refused: nobody is signed in as someone else', async () => {
    const { account } = await browser();
    const login = (headers: Record<string, string>) =>
      api().post('/api/auth/login').set(headers).send({ username: account.username, password: PASSWORD });
    expect((await login({ Origin: 'https://evil.example' })).body).toEqual(problem(403, 'ORIGIN_NOT_ALLOWED'));
    expect((await login({ 'Sec-Fetch-Site': 'cross-site' })).body).toEqual(problem(403, 'ORIGIN_NOT_ALLOWED'));
    expect((await login({})).status).toBe(200);
  });

  test.each([
    ['the server’s own origin', () => ({ Origin: world.url })],
    ['a listed origin', () => ({ Origin: APP, 'Sec-Fetch-Site': 'cross-site' })],
    ['the same origin by Sec-Fetch-Site', () => ({ 'Sec-Fetch-Site': 'same-origin' })],
  ])('by cookie from %s, a change is made', async (_name, headers) => {
    const { cookie } = await browser();
    await api()
      .patch('/api/auth/me')
      .set({ Cookie: cookie, ...headers() })
      .send({ fullName: 'Ada' })
      .expect(200);
  });

  test('behind a proxy, the origin that browsers see is the server’s own', async () => {
    const { cookie } = await browser(https);
    const patch = (origin: string) =>
      api()
        .patch('/api/auth/me')
        .set({ ...https, 'X-Forwarded-Host': 'chat.example.com', Cookie: cookie, Origin: origin })
        .send({});
    expect((await patch('https://chat.example.com')).status).toBe(200);
    expect((await patch('http://chat.example.com')).status).toBe(403);
    expect((await patch(world.url)).status).toBe(403);
  });

  test('with Bearer, where there is nothing to forge, any origin may', async () => {
    const user = await signUp(world.url);
    const headers = { ...bearer(user.accessToken), Origin: 'https://evil.example' };
    await api().patch('/api/auth/me').set(headers).send({ fullName: 'Ada' }).expect(200);
  });
});

describe('CORS', () => {
  const preflight = (origin: string, headers = 'authorization,content-type') =>
    api().options('/api/auth/me').set({
      Origin: origin,
      'Access-Control-Request-Method': 'PATCH',
      'Access-Control-Request-Headers': headers,
    });

  test('a preflight from a listed origin names it, with credentials, methods and headers', async () => {
    const { status, headers } = await preflight(APP, 'x-stainless-os, X-Stainless-Lang, x-evil');
    expect(status).toBe(204);
    expect(headers).toMatchObject({
      'access-control-allow-origin': APP,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET,HEAD,POST,PATCH,DELETE',
      'access-control-allow-headers':
        'Authorization,Content-Type,Idempotency-Key,Last-Event-ID,X-Request-Id,OpenAI-Organization,OpenAI-Project,x-stainless-os,x-stainless-lang',
      'access-control-max-age': '600',
      vary: 'Origin, Access-Control-Request-Headers',
    });
  });

  test('an answer to a listed origin, right or wrong, names it and exposes the documented headers', async () => {
    for (const origin of [APP, 'capacitor://localhost', world.url]) {
      const { headers } = await api().get('/api/auth/me').set('Origin', origin);
      expect(headers).toMatchObject({
        'access-control-allow-origin': origin,
        'access-control-allow-credentials': 'true',
        'access-control-expose-headers':
          'RateLimit,RateLimit-Policy,Retry-After,X-Request-Id,Location,X-Should-Retry,X-Router-Model,X-Router-Attempts,X-Router-Overhead-Ms',
        vary: 'Origin',
      });
    }
  });

  test.each(['https://evil.example', 'null', `${APP}.evil.example`, '*'])(
    'a preflight and a request from %s get no CORS header, and Vary: Origin',
    async (origin) => {
      for (const answer of [await preflight(origin), await api().get('/api/auth/me').set('Origin', origin)]) {
        const names = Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'));
        expect(names).toEqual([]);
        expect(answer.headers.vary).toBe('Origin');
      }
    },
  );

  test('OPTIONS that is no preflight, from a listed origin, is told what the address can do', async () => {
    const { status, headers } = await api().options('/api/auth/me').set('Origin', APP);
    expect(status).toBe(204);
    expect(headers.allow).toBe('GET, PATCH, DELETE, HEAD, OPTIONS');
  });
});
