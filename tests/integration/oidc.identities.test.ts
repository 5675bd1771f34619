import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { call, PASSWORD, type Answer } from '../support/http.ts';
import { startMailbox, type Mailbox } from '../support/mailbox.ts';
import { startFakeIssuer, type FakeIssuer } from '../support/oidc/fakeIssuer.ts';
import { APP, newVerifier, PUBLIC_URL, startOidcWorld, type OidcWorld } from '../support/oidc/oidcWorld.ts';
import type { TestUser } from '../support/world.ts';

const START = `${PUBLIC_URL}/api/auth/oidc/fake`;
const newSubject = (): string => `s${randomBytes(6).toString('hex')}`;

let issuer: FakeIssuer;
let mailbox: Mailbox;
let world: OidcWorld;
let now = Date.now();
beforeAll(async () => {
  issuer = await startFakeIssuer();
  mailbox = await startMailbox();
  const env = { SMTP_URL: mailbox.url, MAIL_FROM: 'no-reply@parley.test' };
  world = await startOidcWorld({ fake: issuer }, { env, clock: { now: () => now } });
});
afterAll(async () => {
  await world.stop();
  await mailbox.stop();
  await issuer.stop();
});

/** The code that a frontend gets back, with what it keeps. */
const codeOf = async (sub: string, session: 'token' | 'link') => {
  issuer.behave({ claims: { sub, email: `${sub}@elsewhere.example` } });
  const { verifier, challenge } = newVerifier();
  const start = `${START}?returnTo=${encodeURIComponent(APP)}&session=${session}&codeChallenge=${challenge}`;
  const { url } = await world.newBrowser().open(start);
  expect([url.origin, url.searchParams.get('error')]).toEqual([APP, null]);
  return { code: url.searchParams.get('code') ?? '', codeVerifier: verifier };
};

const signIn = async (sub: string): Promise<Answer> => {
  const { code, codeVerifier } = await codeOf(sub, 'token');
  return world.exchange(code, codeVerifier);
};

type Caller = Pick<TestUser, 'call' | 'id'>;

/** Who signed in by an identity alone, as one who can call. */
const passwordless = async (sub: string): Promise<Caller> => {
  const { body } = await signIn(sub);
  const headers = { Authorization: `Bearer ${String(body.accessToken)}` };
  return { id: body.user.id, call: (method, path, json) => call(`${world.url}${path}`, { method, json, headers }) };
};

const verifiedUser = async (): Promise<TestUser> => {
  const user = await world.signUp();
  await world.node.container.stores.users.verifyEmail(user.id, user.email, new Date());
  return user;
};

const link = async (user: Caller, sub: string, json: object = { currentPassword: PASSWORD }): Promise<Answer> =>
  user.call('POST', '/api/auth/identities', { ...(await codeOf(sub, 'link')), ...json });

const listOf = async (user: Caller) => (await user.call('GET', '/api/auth/identities')).body.items;

describe('linking', () => {
  test('whoever is signed in adds a way in, is told by mail, and comes in by it', async () => {
    const user = await verifiedUser();
    const sub = newSubject();
    const { status, body } = await link(user, sub);
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.any(String),
      provider: 'fake',
      email: `${sub}@elsewhere.example`,
      createdAt: expect.any(String),
      lastUsedAt: expect.any(String),
    });
    expect(await listOf(user)).toEqual([body]);
    expect((await signIn(sub)).body.user.id).toBe(user.id);
    await mailbox.mailTo(user.email, 'A new way to log in');
    await world.node.container.audit.flush();
    const actions = ['identity.linked'];
    const { items } = await world.node.container.audit.listEvents({ ownerId: user.id, actions, limit: 5 });
    expect(items).toMatchObject([{ actorId: user.id, targetId: body.id, details: { method: 'oidc:fake' } }]);
    // Once more is no change.
    expect((await link(user, sub)).body).toMatchObject({ id: body.id });
    expect(await listOf(user)).toHaveLength(1);
  });

  test('an identity that is another account’s stays so', async () => {
    const sub = newSubject();
    const owner = await passwordless(sub);
    const { status, body } = await link(await verifiedUser(), sub);
    expect([status, body.code]).toEqual([409, 'IDENTITY_TAKEN']);
    expect((await signIn(sub)).body.user.id).toBe(owner.id);
  });

  test('without the password, with a wrong one, or with an address that is not verified, nothing is linked', async () => {
    const user = await verifiedUser();
    expect((await link(user, newSubject(), {})).body.code).toBe('VALIDATION_FAILED');
    expect((await link(user, newSubject(), { currentPassword: 'Wrong-Horse-7' })).body.code).toBe(
      'INVALID_CREDENTIALS',
    );
    const unverified = await world.signUp();
    expect((await link(unverified, newSubject())).body.code).toBe('EMAIL_NOT_VERIFIED');
    for (const one of [user, unverified]) expect(await listOf(one)).toEqual([]);
  });

  test('a code is good once, for a minute, with its verifier, and for nothing else', async () => {
    const user = await verifiedUser();
    const post = (json: object) => user.call('POST', '/api/auth/identities', { ...json, currentPassword: PASSWORD });
    const asked = await codeOf(newSubject(), 'link');
    // What an attacker would have a victim’s frontend send: the code of another sign-in.
    expect((await post({ ...asked, codeVerifier: newVerifier().verifier })).body.code).toBe('TOKEN_INVALID');
    expect((await world.exchange(asked.code, asked.codeVerifier)).body.code).toBe('TOKEN_INVALID');
    expect((await post(await codeOf(newSubject(), 'token'))).body.code).toBe('TOKEN_INVALID');
    const answers = await Promise.all(Array.from({ length: 10 }, () => post(asked)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    const late = await codeOf(newSubject(), 'link');
    now += 60_000;
    expect((await post(late)).body.code).toBe('TOKEN_INVALID');
  });

  test('the eleventh is refused', async () => {
    const user = await verifiedUser();
    for (let count = 0; count < 10; count += 1) expect((await link(user, newSubject())).status).toBe(201);
    expect((await link(user, newSubject())).body.code).toBe('FORBIDDEN');
  });
});

describe('removing', () => {
  test('the way in is gone, and the next sign-in by it is somebody new', async () => {
    const user = await verifiedUser();
    const sub = newSubject();
    const { id } = (await link(user, sub)).body;
    const stranger = await verifiedUser();
    const remove = (who: Caller, json: object) => who.call('DELETE', `/api/auth/identities/${String(id)}`, json);
    expect((await remove(stranger, { currentPassword: PASSWORD })).body.code).toBe('IDENTITY_NOT_FOUND');
    expect((await remove(user, {})).body.code).toBe('VALIDATION_FAILED');
    expect((await remove(user, { currentPassword: 'Wrong-Horse-7' })).body.code).toBe('INVALID_CREDENTIALS');
    expect((await remove(user, { currentPassword: PASSWORD })).status).toBe(204);
    expect((await remove(user, { currentPassword: PASSWORD })).body.code).toBe('IDENTITY_NOT_FOUND');
    expect((await signIn(sub)).body.user.id).not.toBe(user.id);
  });

  test('the last way in stays; without a password a fresh login stands for it', async () => {
    const user = await passwordless(newSubject());
    const [only] = await listOf(user);
    const remove = (id: unknown) => user.call('DELETE', `/api/auth/identities/${String(id)}`, {});
    expect((await remove(only.id)).body.code).toBe('FORBIDDEN');
    const second = await link(user, newSubject(), {});
    expect(second.status).toBe(201);
    now += 10 * 60_000;
    expect((await remove(only.id)).body.code).toBe('INVALID_CREDENTIALS');
    expect((await link(user, newSubject(), {})).body.code).toBe('INVALID_CREDENTIALS');
    now -= 60_000;
    expect((await remove(only.id)).status).toBe(204);
    expect((await remove(second.body.id)).body.code).toBe('FORBIDDEN');
  });
});

describe('an account whose address its maker never showed to read', () => {
  test('after a reset by who reads it, is entered by no identity of before, no code of a sign-in under way and no key', async () => {
    const [first, second] = [newSubject(), newSubject()];
    const stranger = await passwordless(first);
    expect((await link(stranger, second, {})).status).toBe(201);
    const victim = { email: `${newSubject()}@victim.example`, password: 'Rightful-Owner-6' };
    expect((await stranger.call('PATCH', '/api/auth/me', { email: victim.email })).body.user).toMatchObject({
      email: victim.email,
      emailVerified: false,
    });
    const { body: made } = await stranger.call('POST', '/api/keys', { name: 'k', scopes: ['chat'] });
    const underWay = await codeOf(second, 'token');

    const post = (path: string, json: object) => call(`${world.url}/api/auth/${path}`, { method: 'POST', json });
    await post('forgot-password', { email: victim.email });
    const { token } = await mailbox.mailTo(victim.email, 'Set a new password');
    expect((await post('reset-password', { token, newPassword: victim.password })).status).toBe(204);

    expect((await world.exchange(underWay.code, underWay.codeVerifier)).body.code).toBe('TOKEN_INVALID');
    for (const sub of [first, second]) expect((await signIn(sub)).body.user.id).not.toBe(stranger.id);
    const headers = { Authorization: `Bearer ${String(made.key)}` };
    expect((await call(`${world.url}/api/chat/sessions`, { headers })).body.code).toBe('TOKEN_REVOKED');
    const entered = await post('login', { username: victim.email, password: victim.password, session: 'token' });
    expect(entered.body.user.id).toBe(stranger.id);
    expect(
      await listOf({
        id: stranger.id,
        call: (method, path) =>
          call(`${world.url}${path}`, {
            method,
            headers: { Authorization: `Bearer ${String(entered.body.accessToken)}` },
          }),
      }),
    ).toEqual([]);
    const actions = ['identity.removed', 'key.revoked'];
    const { items } = await world.node.container.audit.listEvents({ ownerId: stranger.id, actions, limit: 9 });
    expect(items.map(({ action }) => action).toSorted()).toEqual([
      'identity.removed',
      'identity.removed',
      'key.revoked',
    ]);
  });
});
