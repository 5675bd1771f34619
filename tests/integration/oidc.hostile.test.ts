import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  FAKE_CLIENT,
  hmacSigner,
  newRsaKey,
  rsaSigner,
  startFakeIssuer,
  type Behaviour,
  type FakeIssuer,
  type IdToken,
} from '../support/oidc/fakeIssuer.ts';
import { PUBLIC_URL, startOidcWorld, type OidcWorld } from '../support/oidc/oidcWorld.ts';
import { call } from '../support/http.ts';

const START = `${PUBLIC_URL}/api/auth/oidc/fake`;
const seconds = (fromNow: number): number => Math.floor(Date.now() / 1000) + fromNow;

let issuer: FakeIssuer;
let world: OidcWorld;
beforeAll(async () => {
  issuer = await startFakeIssuer();
  world = await startOidcWorld({ fake: issuer });
});
beforeEach(() => issuer.behave({}));
afterAll(async () => {
  await world.stop();
  await issuer.stop();
});

const countUsers = async (): Promise<number> => (await world.node.container.stores.users.countUsers()).total;

/** What became of a sign-in at an issuer that behaves so. */
const signIn = async (behaviour: Behaviour) => {
  issuer.behave(behaviour);
  const browser = world.newBrowser();
  const { url, status, text } = await browser.open(`${START}?returnTo=/home`, { until: /\.test\/home/ });
  const isLoggedIn = (await world.askAs(browser, 'GET', '/api/auth/me')).status === 200;
  const code = status === undefined ? url.searchParams.get('error') : JSON.parse(text).code;
  return { isLoggedIn, code, description: url.searchParams.get('error_description') };
};

const claims =
  (changes: Readonly<Record<string, unknown>>) =>
  (right: IdToken): IdToken => ({ ...right, claims: { ...right.claims, ...changes } });
const header =
  (changes: Readonly<Record<string, unknown>>, sign?: IdToken['sign']) =>
  (right: IdToken): IdToken => ({ ...right, header: { ...right.header, ...changes }, sign: sign ?? right.sign });

const strangersKey = newRsaKey().privateKey;

/** What is wrong, and the words of the log that tell that it was this which was found. */
const LIES: Readonly<Record<string, readonly [behaviour: Behaviour, why: string]>> = {
  'another issuer': [{ idToken: claims({ iss: 'https://accounts.example' }) }, '"iss"'],
  'no issuer': [{ idToken: claims({ iss: undefined }) }, '"iss" (issuer) claim missing'],
  'another audience': [{ idToken: claims({ aud: 'somebody-else' }) }, '"aud"'],
  'an audience of many, for another': [{ idToken: claims({ aud: [FAKE_CLIENT.id, 'b'], azp: 'b' }) }, '"azp"'],
  'an audience of many without azp': [
    { idToken: claims({ aud: [FAKE_CLIENT.id, 'b'] }) },
    'additional untrusted audiences',
  ],
  'no audience': [{ idToken: claims({ aud: undefined }) }, '"aud" (audience) claim missing'],
  'another nonce': [{ idToken: claims({ nonce: 'x'.repeat(43) }) }, '"nonce" claim value'],
  'no nonce': [{ idToken: claims({ nonce: undefined }) }, '"nonce" (nonce) claim missing'],
  'a time that is over': [
    { idToken: claims({ iat: seconds(-600), exp: seconds(-300) }) },
    '"exp" (expiration time) claim value',
  ],
  'no end': [{ idToken: claims({ exp: undefined }) }, '"exp" (expiration time) claim missing'],
  'an end in words': [{ idToken: claims({ exp: 'tomorrow' }) }, '"exp" (expiration time) claim type'],
  'no beginning': [{ idToken: claims({ iat: undefined }) }, '"iat" (issued at) claim missing'],
  'a time to come': [{ idToken: claims({ nbf: seconds(600) }) }, '"nbf" (not before)'],
  'no subject': [{ idToken: claims({ sub: undefined }) }, '"sub" (subject) claim missing'],
  'an empty subject': [{ idToken: claims({ sub: '' }) }, 'subject is empty'],
  'a subject that is no text': [{ idToken: claims({ sub: { $gt: '' } }) }, '"sub" (subject) claim type'],
  'a subject of 256 characters': [{ idToken: claims({ sub: 's'.repeat(256) }) }, 'subject is empty or too long'],
  'alg none': [{ idToken: header({ alg: 'none' }, () => Buffer.alloc(0)) }, 'unsupported JWS "alg"'],
  'alg nOnE': [{ idToken: header({ alg: 'nOnE' }, () => Buffer.alloc(0)) }, 'unexpected JWT "alg"'],
  'HS256 with the client’s secret': [
    { idToken: header({ alg: 'HS256' }, hmacSigner(FAKE_CLIENT.secret)) },
    'unsupported JWS algorithm',
  ],
  'HS256 with an empty key': [{ idToken: header({ alg: 'HS256' }, hmacSigner('')) }, 'unsupported JWS algorithm'],
  'the key of a stranger': [{ idToken: header({}, rsaSigner(strangersKey)) }, 'signature verification failed'],
  'a key that nobody knows': [{ idToken: header({ kid: 'unknown' }, rsaSigner(strangersKey)) }, 'no applicable keys'],
  'a key in its own header': [
    {
      idToken: header({ jwk: newRsaKey().publicKey.export({ format: 'jwk' }) }, rsaSigner(strangersKey)),
    },
    'signature verification failed',
  ],
  'an unknown crit': [{ idToken: header({ crit: ['x'], x: 1 }) }, '"crit"'],
  'no signature': [
    { idToken: (right) => ({ ...right, sign: () => Buffer.alloc(0) }) },
    'signature verification failed',
  ],
  'a changed signature': [
    {
      idToken: (right) => ({ ...right, sign: (input) => Buffer.from(right.sign(input)).fill(0, 0, 4) }),
    },
    'signature verification failed',
  ],
  'no ID token': [{ tokenAnswer: { status: 200, body: { access_token: 'a', token_type: 'Bearer' } } }, '"id_token"'],
  'an ID token that is none': [
    {
      tokenAnswer: { status: 200, body: { access_token: 'a', token_type: 'Bearer', id_token: 'x.y' } },
    },
    'Invalid JWT',
  ],
  'a refusal': [
    { tokenAnswer: { status: 400, body: { error: 'invalid_grant', error_description: 'canary' } } },
    'the provider says invalid_grant',
  ],
  'a redirection': [{ tokenAnswer: { status: 307, body: {} } }, 'unexpected HTTP response status'],
  'another iss in the address': [
    { redirection: { iss: 'https://accounts.example' } },
    '"iss" (issuer) response parameter',
  ],
  'an error of its own making': [
    { redirection: { code: null, error: '<script>canary</script>' } },
    'the provider says error',
  ],
  'userinfo of somebody else': [
    { userinfo: { sub: 'somebody-else', email: 'a@example.com', email_verified: true } },
    '"sub" property value',
  ],
};

const lie = (name: string) => LIES[name]!;

describe('an issuer that answers with', () => {
  test('what is right logs somebody in', async () => {
    expect(await signIn({})).toMatchObject({ isLoggedIn: true, code: null });
  });

  test('what is wrong is on record with its reason, and with nothing that the issuer made up', async () => {
    await signIn(lie('another nonce')[0]);
    await signIn(lie('an error of its own making')[0]);
    await world.node.container.audit.flush();
    const { items } = await world.node.container.audit.listEvents({ actions: ['login.failed'], limit: 2 });
    expect(items.map(({ outcome, details, ownerId }) => [outcome, details, ownerId])).toEqual([
      ['failure', { method: 'oidc:fake', reason: 'error' }, null],
      ['failure', { method: 'oidc:fake', reason: expect.stringMatching(/^OAUTH_/) }, null],
    ]);
    expect(world.logText()).not.toContain('canary</script>');
  });

  test.each(Object.keys(LIES))('%s logs nobody in and makes no account', async (name) => {
    const [behaviour, why] = lie(name);
    const before = await countUsers();
    const { isLoggedIn, code, description } = await signIn(behaviour);
    expect([isLoggedIn, code, await countUsers()]).toEqual([false, 'SIGN_IN_FAILED', before]);
    expect(description).not.toContain('canary');
    const line = world.logs().findLast(({ message }) => message === 'sign-in at a provider failed');
    expect(line?.why).toContain(why);
  });

  test('a server’s error, or more than a megabyte, is away for now', async () => {
    for (const tokenAnswer of [
      { status: 500, body: {} },
      { status: 200, body: { padding: 'x'.repeat(1_100_000) } },
    ]) {
      expect(await signIn({ tokenAnswer })).toMatchObject({ isLoggedIn: false, code: 'PROVIDER_UNAVAILABLE' });
    }
  });
});

describe('metadata with', () => {
  const begin = async (metadata: Readonly<Record<string, unknown>>) => {
    issuer.behave({ metadata });
    const fresh = await startOidcWorld({ fake: issuer });
    const answer = await call(`${fresh.url}/api/auth/oidc/fake`, { redirect: 'manual' });
    await fresh.stop();
    return [answer.status, answer.body.code, answer.headers.get('Location')];
  };

  test.each([
    [{ issuer: 'https://accounts.example' }],
    [{ issuer: undefined }],
    [{ authorization_endpoint: undefined }],
    [{ authorization_endpoint: 'javascript:alert(1)' }],
  ])('%j sends nobody anywhere', async (metadata) => {
    expect(await begin(metadata)).toEqual([503, 'PROVIDER_UNAVAILABLE', null]);
  });

  test('a token endpoint elsewhere without TLS gets neither code nor secret', async () => {
    issuer.behave({ metadata: { token_endpoint: 'http://192.0.2.1/token' } });
    const fresh = await startOidcWorld({ fake: issuer });
    const { url } = await fresh.newBrowser().open(`${START}?returnTo=/home`, { until: /\.test\/home/ });
    expect(url.searchParams.get('error')).toBe('SIGN_IN_FAILED');
    expect(fresh.logText()).toContain('only https is asked');
    await fresh.stop();
  });

  test('what they had an hour ago serves on while the issuer gives none', async () => {
    let now = Date.now();
    const fresh = await startOidcWorld({ fake: issuer }, { clock: { now: () => now } });
    const begin = async () => (await call(`${fresh.url}/api/auth/oidc/fake`, { redirect: 'manual' })).status;
    const asked = () => issuer.requests.filter((line) => line.endsWith('openid-configuration')).length;
    expect(await begin()).toBe(303);
    const before = asked();
    expect([await begin(), asked()]).toEqual([303, before]);
    now += 3_600_000;
    issuer.behave({ metadata: { issuer: 'https://accounts.example' } });
    expect([await begin(), asked()]).toEqual([303, before + 1]);
    expect([await begin(), asked()]).toEqual([303, before + 1]);
    issuer.behave({});
    now += 60_000;
    expect([await begin(), asked()]).toEqual([303, before + 2]);
    await fresh.stop();
  });

  test('20 sign-ins at once, they are asked for once', async () => {
    const fresh = await startOidcWorld({ fake: issuer });
    const before = issuer.requests.length;
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => call(`${fresh.url}/api/auth/oidc/fake`, { redirect: 'manual' })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 303));
    expect(issuer.requests.length - before).toBe(1);
    await fresh.stop();
  });
});
