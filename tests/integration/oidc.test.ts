import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, Landing } from '../support/oidc/browser.ts';
import { APP, APP_SCHEME, newVerifier, PUBLIC_URL, startOidcWorld, type OidcWorld } from '../support/oidc/oidcWorld.ts';
import { CLIENT_SECRET, startRealIssuer, type RealIssuer } from '../support/oidc/realIssuer.ts';
import { call } from '../support/http.ts';
import { waitFor } from '../support/waitFor.ts';

const START = `${PUBLIC_URL}/api/auth/oidc/corp`;
const CALLBACK = `${START}/callback`;
const HOME = `${APP}/home`;
const MINUTE_MS = 60_000;

let issuer: RealIssuer;
let world: OidcWorld;
let now = Date.now();
let counter = 0;

beforeAll(async () => {
  issuer = await startRealIssuer([CALLBACK]);
  const twin = { OIDC_PROVIDERS: 'corp,twin', OIDC_TWIN_ISSUER: issuer.url, OIDC_TWIN_CLIENT_ID: 'twin' };
  world = await startOidcWorld({ real: issuer }, { clock: { now: () => now }, env: twin });
});
afterAll(async () => {
  await world.stop();
  await issuer.stop();
});

/** Somebody whom nobody here has seen yet. */
const newPerson = (): string => {
  counter += 1;
  const login = `person${String(counter)}`;
  issuer.people.set(login, { email: `${login}@corp.example`, email_verified: true, preferred_username: login });
  return login;
};

const address = (parameters: Readonly<Record<string, string>> = {}): string =>
  `${START}?${new URLSearchParams({ returnTo: HOME, ...parameters }).toString()}`;

const signIn = async (login: string): Promise<{ browser: Browser; landing: Landing }> => {
  const browser = world.newBrowser();
  return { browser, landing: await browser.open(address(), { login }) };
};

const codeFor = async (login: string): Promise<{ code: string; verifier: string }> => {
  const { verifier, challenge } = newVerifier();
  const landing = await world.newBrowser().open(address({ session: 'token', codeChallenge: challenge }), { login });
  return { code: landing.url.searchParams.get('code') ?? '', verifier };
};

/** A browser that has the answer of the issuer and has not brought it back yet. */
const beforeCallback = async (login: string): Promise<{ browser: Browser; callback: URL }> => {
  const browser = world.newBrowser();
  const { url } = await browser.open(address(), { login, until: /\/callback\?/ });
  expect(url.href).toMatch(/\/callback\?.*code=/);
  return { browser, callback: url };
};

const isLoggedIn = async (browser: Browser): Promise<boolean> =>
  (await world.askAs(browser, 'GET', '/api/auth/me')).status === 200;

const refused = async (browser: Browser, landing: Landing, code: string): Promise<void> => {
  expect([landing.status, JSON.parse(landing.text).code]).toEqual([401, code]);
  expect(await isLoggedIn(browser)).toBe(false);
};

describe('a browser', () => {
  test('that signs in for the first time gets an account, cookies and back to where it wanted', async () => {
    const login = newPerson();
    const { browser, landing } = await signIn(login);
    expect(landing.url.href).toBe(HOME);
    const { body } = await world.askAs(browser, 'GET', '/api/auth/me');
    expect(body.user).toMatchObject({ username: login, email: `${login}@corp.example`, emailVerified: true });
    for (const name of ['parley_at', 'parley_rt', 'parley_dt'])
      expect(browser.given.get(name)).toMatch(/HttpOnly; SameSite=Lax/);
    expect(browser.given.get('parley_oidc')).toMatch(/^parley_oidc=; .*1970/);
    const history = await waitFor(async () => {
      const { items } = (await world.askAs(browser, 'GET', '/api/auth/history')).body;
      return items.length === 2 && items;
    });
    expect(history.map(({ method }: { method: string }) => method)).toEqual(['oidc:corp', 'oidc:corp']);
  });

  test('that signs in again is in the same account, whatever the issuer calls its user by now', async () => {
    const login = newPerson();
    const first = await signIn(login);
    issuer.people.set(login, { email: 'moved@corp.example', email_verified: true, preferred_username: 'renamed' });
    const second = await signIn(login);
    const [one, two] = await Promise.all(
      [first, second].map(async ({ browser }) => (await world.askAs(browser, 'GET', '/api/auth/me')).body.user),
    );
    expect(two.id).toBe(one.id);
    expect(two).toMatchObject({ username: login, email: `${login}@corp.example` });
    const sessions = await world.askAs(first.browser, 'GET', '/api/auth/sessions');
    expect(sessions.body.items).toHaveLength(2);
  });

  test('whose user goes back is told so, and nobody is logged in', async () => {
    const browser = world.newBrowser();
    const { url } = await browser.open(address(), { login: null });
    expect(url.origin + url.pathname).toBe(HOME);
    expect(url.searchParams.get('error')).toBe('SIGN_IN_FAILED');
    expect(url.searchParams.get('error_description')).toContain('access_denied');
    expect(await isLoggedIn(browser)).toBe(false);
  });

  test('that speaks https is given cookies which only this host can set and read', async () => {
    const url = 'https://parley.test';
    const https = await startRealIssuer([`${url}/api/auth/oidc/corp/callback`]);
    const node = await startOidcWorld({ real: https }, { env: { PUBLIC_URL: url, TRUST_PROXY: '1' } });
    https.people.set('ada', {});
    const browser = node.newBrowser({
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Host': 'evil.test',
      Host: 'evil.test',
    });
    const away = await browser.open(`${url}/api/auth/oidc/corp`, { until: /127\.0\.0\.1/ });
    expect(away.url.searchParams.get('redirect_uri')).toBe(`${url}/api/auth/oidc/corp/callback`);
    expect(browser.given.get('__Host-parley_oidc')).toMatch(/; Path=\/; .*HttpOnly; Secure; SameSite=Lax$/);
    await browser.open(`${url}/api/auth/oidc/corp`, { login: 'ada' });
    expect(browser.given.get('__Host-parley_at')).toMatch(/Secure/);
    await node.stop();
    await https.stop();
  });
});

describe('what comes back', () => {
  test('with another state, without the cookie, with a changed one or after ten minutes, logs nobody in', async () => {
    const wrongState = await beforeCallback(newPerson());
    wrongState.callback.searchParams.set('state', 'x'.repeat(43));
    await refused(wrongState.browser, await wrongState.browser.open(wrongState.callback.href), 'SIGN_IN_FAILED');

    const { callback } = await beforeCallback(newPerson());
    const stranger = world.newBrowser();
    await refused(stranger, await stranger.open(callback.href), 'SIGN_IN_FAILED');

    const changed = await beforeCallback(newPerson());
    const cookie = changed.browser.cookiesFor(START).replace('parley_oidc=', '');
    // Not its last character, which may hold bits that nobody reads.
    const other = cookie.replace(/\.(.)/, (_all, first: string) => (first === 'A' ? '.B' : '.A'));
    for (const value of [other, '', 'x.y', cookie.replace(/^[^.]*/, 'AAAAAAAA'), 'a'.repeat(5000)]) {
      changed.browser.setCookie(PUBLIC_URL, 'parley_oidc', value);
      await refused(changed.browser, await changed.browser.open(changed.callback.href), 'SIGN_IN_FAILED');
    }

    const late = await beforeCallback(newPerson());
    now += 10 * MINUTE_MS;
    await refused(late.browser, await late.browser.open(late.callback.href), 'SIGN_IN_FAILED');
  });

  test('in the name of another provider, or as a second state, logs nobody in', async () => {
    const { browser, callback } = await beforeCallback(newPerson());
    const elsewhere = callback.href.replace('/corp/', '/twin/');
    await refused(browser, await browser.open(elsewhere), 'SIGN_IN_FAILED');
    callback.searchParams.append('state', 'second');
    const landing = await browser.open(callback.href);
    expect(landing.url.searchParams.get('error')).toBe('SIGN_IN_FAILED');
    expect(await isLoggedIn(browser)).toBe(false);
  });

  test('with the code of another sign-in is refused by the issuer: PKCE', async () => {
    const [mine, theirs] = [await beforeCallback(newPerson()), await beforeCallback(newPerson())];
    mine.callback.searchParams.set('code', theirs.callback.searchParams.get('code') ?? '');
    const landing = await mine.browser.open(mine.callback.href);
    expect(landing.url.searchParams.get('error')).toBe('SIGN_IN_FAILED');
    expect(await isLoggedIn(mine.browser)).toBe(false);
  });

  test('a second time, with the cookie that it had, logs nobody in', async () => {
    const { browser, callback } = await beforeCallback(newPerson());
    const kept = browser.cookiesFor(START).replace('parley_oidc=', '');
    expect((await browser.open(callback.href)).url.href).toBe(HOME);
    await refused(world.newBrowser(), await browser.open(callback.href), 'SIGN_IN_FAILED');
    const replay = world.newBrowser();
    replay.setCookie(PUBLIC_URL, 'parley_oidc', kept);
    const landing = await replay.open(callback.href);
    expect(landing.url.searchParams.get('error')).toBe('SIGN_IN_FAILED');
    expect(await isLoggedIn(replay)).toBe(false);
  });
});

describe('where it leads back to', () => {
  const begin = (parameters: Readonly<Record<string, string>>) =>
    call(`${world.url}/api/auth/oidc/corp?${new URLSearchParams(parameters).toString()}`, { redirect: 'manual' });

  test.each([
    'https://evil.example',
    'http://app.test.evil.example/home',
    'http://app.test@evil.example/',
    'http://user:password@app.test/',
    '//evil.example/home',
    '/\\evil.example/home',
    'http:/\\evil.example',
    'https://app.test/home',
    'http://app.test:8080/home',
    'javascript:alert(1)',
    'data:text/html,x',
    'com.example.other:/home',
    'com.example.parley.evil:/home',
    `${HOME}#code=1`,
    'http://[',
    `${HOME}?${'a'.repeat(2000)}`,
    `${HOME}?${'ä'.repeat(500)}`,
  ])('%s is refused before anybody is sent anywhere', async (returnTo) => {
    const { status, body, headers } = await begin({ returnTo });
    expect([status, body.code]).toEqual([400, 'VALIDATION_FAILED']);
    expect(headers.get('Location')).toBeNull();
    expect(headers.getSetCookie()).toEqual([]);
  });

  test.each([
    [{}, `${PUBLIC_URL}/`],
    [{ returnTo: '/chat?x=1' }, `${PUBLIC_URL}/chat?x=1`],
    [{ returnTo: `${PUBLIC_URL}/deep/page` }, `${PUBLIC_URL}/deep/page`],
    [{ returnTo: 'HTTP://APP.TEST/home' }, HOME],
    [{ returnTo: `${HOME}?x=${'ä'.repeat(320)}` }, `${HOME}?x=${'%C3%A4'.repeat(320)}`],
  ])('%j is %s', async (parameters, expected) => {
    const browser = world.newBrowser();
    const url = `${START}?${new URLSearchParams(parameters).toString()}`;
    const landing = await browser.open(url, { login: newPerson(), until: /\/(chat|deep|home|)(\?x=1)?(\/page)?$/ });
    expect(landing.url.href).toBe(expected);
  });

  test.each([
    { returnTo: `${APP_SCHEME}:/home` },
    { session: 'token' },
    { session: 'cookie', codeChallenge: newVerifier().challenge },
    { session: 'token', codeChallenge: 'short' },
    { session: 'both' },
    { unknown: 'x' },
  ])('%j does not fit together', async (parameters: Record<string, string>) => {
    const { status, body } = await begin(parameters);
    expect([status, body.code]).toEqual([400, 'VALIDATION_FAILED']);
  });
});

describe('an app', () => {
  test('trades the code for what a login answers', async () => {
    const login = newPerson();
    const { verifier, challenge } = newVerifier();
    const start = address({ returnTo: `${APP_SCHEME}:/signed-in?x=1`, session: 'token', codeChallenge: challenge });
    const browser = world.newBrowser();
    const { url } = await browser.open(start, { login });
    expect([url.protocol, url.pathname, url.searchParams.get('x')]).toEqual([`${APP_SCHEME}:`, '/signed-in', '1']);
    expect(browser.given.has('parley_at')).toBe(false);
    const { status, body } = await world.exchange(url.searchParams.get('code') ?? '', verifier);
    expect(status).toBe(200);
    expect(Object.keys(body).sort()).toEqual(
      ['accessToken', 'deviceToken', 'expiresIn', 'refreshToken', 'tokenType', 'user'].sort(),
    );
    expect(body.user.username).toBe(login);
    const headers = { Authorization: `Bearer ${String(body.accessToken)}` };
    expect((await call(`${world.url}/api/auth/me`, { headers })).body.user.id).toBe(body.user.id);
    const json = { refreshToken: body.refreshToken };
    expect((await call(`${world.url}/api/auth/refresh`, { method: 'POST', json })).status).toBe(200);
  });

  test('that trades one code 20 times at once gets one login', async () => {
    const { code, verifier } = await codeFor(newPerson());
    const answers = await Promise.all(Array.from({ length: 20 }, () => world.exchange(code, verifier)));
    const good = answers.filter(({ status }) => status === 200);
    expect(good).toHaveLength(1);
    for (const { status, body } of answers.filter((answer) => answer !== good[0])) {
      expect([status, body.code]).toEqual([401, 'TOKEN_INVALID']);
    }
  });

  test('without the verifier, after a minute, or with something else, gets nothing; the rightful one still does', async () => {
    const { code, verifier } = await codeFor(newPerson());
    const late = await codeFor(newPerson());
    for (const wrong of [newVerifier().verifier, 'a'.repeat(43)]) {
      expect((await world.exchange(code, wrong)).body.code).toBe('TOKEN_INVALID');
    }
    const { ticket } = (await (await world.signUp()).call('POST', '/api/auth/ticket')).body;
    for (const other of [ticket, code.slice(0, -1), `${code}A`, 'x']) {
      expect((await world.exchange(other, verifier)).body.code).toBe('TOKEN_INVALID');
    }
    expect((await world.exchange(code, verifier)).status).toBe(200);
    now += MINUTE_MS;
    expect((await world.exchange(late.code, late.verifier)).body.code).toBe('TOKEN_INVALID');
  });

  test('that was given the code of somebody else’s browser cannot be logged in as them: login CSRF', async () => {
    const attacker = await codeFor(newPerson());
    const victim = newVerifier();
    expect((await world.exchange(attacker.code, victim.verifier)).body.code).toBe('TOKEN_INVALID');
  });
});

describe('the account', () => {
  test('that is disabled is refused in both modes', async () => {
    const login = newPerson();
    const { browser } = await signIn(login);
    const { id } = (await world.askAs(browser, 'GET', '/api/auth/me')).body.user;
    const pending = await codeFor(login);
    await world.node.container.stores.users.updateAccount(id, { status: 'disabled' }, new Date());
    const { landing, browser: second } = await signIn(login);
    expect(landing.url.searchParams.get('error')).toBe('ACCOUNT_DISABLED');
    expect(await isLoggedIn(second)).toBe(false);
    expect((await world.exchange(pending.code, pending.verifier)).body.code).toBe('ACCOUNT_DISABLED');
  });

  test('has no password that would be right', async () => {
    const login = newPerson();
    await signIn(login);
    for (const password of ['x', 'Correct-Horse-7', '$', 'bcrypt-hmac$']) {
      const json = { username: login, password };
      const { status, body } = await call(`${world.url}/api/auth/login`, { method: 'POST', json });
      expect([status, body.code]).toEqual([401, 'INVALID_CREDENTIALS']);
    }
  });
});

test('the providers are listed; one that is not there is no address', async () => {
  const { body } = await call(`${world.url}/api/auth/oidc`);
  expect(body.nextCursor).toBeNull();
  expect(body.items).toEqual([
    { id: 'corp', label: 'The Corporation' },
    { id: 'twin', label: 'twin' },
  ]);
  for (const path of ['other', 'CORP', '__proto__', 'corp%2f..', 'other/callback']) {
    const { status, body: problem } = await call(`${world.url}/api/auth/oidc/${path}`, { redirect: 'manual' });
    expect([status, problem.code]).toEqual([404, 'NOT_FOUND']);
  }
});

test('an issuer that is down keeps no node from starting, is told, and works once it is back', async () => {
  const down = await startRealIssuer([CALLBACK]);
  down.people.set('ada', {});
  await down.stop();
  const node = await startOidcWorld({ real: down });
  expect((await call(`${node.url}/health/ready`)).status).toBe(200);
  const { status, body, headers } = await call(`${node.url}/api/auth/oidc/corp`, { redirect: 'manual' });
  expect([status, body.code, body.retryable]).toEqual([503, 'PROVIDER_UNAVAILABLE', true]);
  expect(Number(headers.get('Retry-After'))).toBeGreaterThan(0);

  await down.start();
  const browser = node.newBrowser();
  await browser.open(START, { login: 'ada' });
  expect((await node.askAs(browser, 'GET', '/api/auth/me')).status).toBe(200);

  const waiting = node.newBrowser();
  const { url } = await waiting.open(`${START}?returnTo=${HOME}`, { login: 'ada', until: /\/callback\?/ });
  await down.stop();
  const landing = await waiting.open(url.href);
  expect(landing.url.searchParams.get('error')).toBe('PROVIDER_UNAVAILABLE');
  await node.stop();
});

test('no log tells the client’s secret, a code, a state or a token', async () => {
  const { browser, callback } = await beforeCallback(newPerson());
  await browser.open(callback.href);
  const { code, verifier } = await codeFor(newPerson());
  const { body } = await world.exchange(code, verifier);
  const log = world.logText();
  expect(log.length).toBeGreaterThan(1000);
  for (const secret of [
    CLIENT_SECRET,
    callback.searchParams.get('code'),
    callback.searchParams.get('state'),
    code,
    verifier,
    body.accessToken,
  ]) {
    expect(log.includes(String(secret))).toBe(false);
  }
});
