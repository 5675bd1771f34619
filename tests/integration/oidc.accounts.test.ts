import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { newId } from '../../src/lib/ids.ts';
import { newIdentity } from '../contract/stores/rows.ts';
import type { Browser } from '../support/oidc/browser.ts';
import { startFakeIssuer, type Behaviour, type FakeIssuer } from '../support/oidc/fakeIssuer.ts';
import { newVerifier, PUBLIC_URL, startOidcWorld, type OidcWorld } from '../support/oidc/oidcWorld.ts';
import { call, PASSWORD } from '../support/http.ts';
import { startMailbox, type Mailbox } from '../support/mailbox.ts';
import { codeOf, confirmTotp, offerFor } from '../support/secondFactor.ts';
import { waitFor } from '../support/waitFor.ts';

const START = `${PUBLIC_URL}/api/auth/oidc/fake`;
const newName = (): string => `p${randomBytes(6).toString('hex')}`;

let issuer: FakeIssuer;
let mailbox: Mailbox;
let world: OidcWorld;
beforeAll(async () => {
  issuer = await startFakeIssuer();
  mailbox = await startMailbox();
  world = await startOidcWorld(
    { fake: issuer },
    { env: { SMTP_URL: mailbox.url, MAIL_FROM: 'Parley <no-reply@parley.test>' } },
  );
});
beforeEach(() => issuer.behave({}));
afterAll(async () => {
  await world.stop();
  await mailbox.stop();
  await issuer.stop();
});

interface Seen {
  readonly browser: Browser;
  readonly error: string | null;
  // Whatever `GET /api/auth/me` answered.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly user: any;
  readonly fragment: URLSearchParams;
}

const signIn = async (behaviour: Behaviour, node: OidcWorld = world): Promise<Seen> => {
  issuer.behave(behaviour);
  const browser = node.newBrowser();
  const { url } = await browser.open(`${START}?returnTo=/home`, { until: /\.test\/home/ });
  const { body } = await node.askAs(browser, 'GET', '/api/auth/me');
  const fragment = new URLSearchParams(url.hash.slice(1));
  return { browser, error: url.searchParams.get('error'), user: body.user ?? null, fragment };
};

/** Claims of somebody with a verified address. */
const person = (changes: Readonly<Record<string, unknown>> = {}) => {
  const sub = newName();
  return { claims: { sub, email: `${sub}@example.com`, email_verified: true, preferred_username: sub, ...changes } };
};

const events = async (ownerId: string, action: string) => {
  await world.node.container.audit.flush();
  const { items } = await world.node.container.audit.listEvents({ ownerId, actions: [action], limit: 20 });
  return items;
};

/** An account made here by password, whose address is verified. */
const verifiedAccount = async (node: OidcWorld = world) => {
  const user = await node.signUp();
  await node.node.container.stores.users.verifyEmail(user.id, user.email, new Date());
  return user;
};

describe('somebody whom nobody knows here', () => {
  test('gets an account without a password, with the address that the issuer has verified', async () => {
    const { claims } = person({ name: 'Zoë O’Hara', preferred_username: 'Zoë O’Hara' });
    const { user } = await signIn({ claims });
    expect(user).toMatchObject({
      email: claims.email,
      emailVerified: true,
      fullName: 'Zoë O’Hara',
      role: 'user',
      username: expect.stringMatching(/^Zoe_O_Hara/),
    });
    expect((await world.node.container.stores.users.findUser(user.id))?.passwordHash).toBe('');
    expect(await events(user.id, 'account.created')).toHaveLength(1);
    expect(await events(user.id, 'login.succeeded')).toMatchObject([{ details: { method: 'oidc:fake' } }]);
  });

  test.each([
    ['has not verified it', { email_verified: false }],
    ['says nothing of whether it has', { email_verified: undefined }],
    ['says something odd', { email_verified: 'yes' }],
    ['has none', { email: undefined, email_verified: true }],
    ['has none that could be one', { email: 'not an address' }],
  ])('with an address of which the issuer %s gets an account, and takes nobody’s address', async (_what, changes) => {
    const { claims } = person(changes);
    const { user, error } = await signIn({ claims });
    expect(error).toBeNull();
    expect(user).toMatchObject({ email: `${String(user.id)}@oidc.invalid`, emailVerified: false });
    // Whose address it is can still make an account with it.
    const json = { username: newName(), email: `${claims.sub}@example.com`, password: PASSWORD };
    expect((await call(`${world.url}/api/auth/signup`, { method: 'POST', json })).status).toBe(201);
  });

  test('whose address is told at the userinfo endpoint alone is asked for there', async () => {
    const sub = newName();
    const email = `${sub}@example.com`;
    const { user } = await signIn({ claims: { sub }, userinfo: { sub, email, email_verified: true, nickname: sub } });
    expect(user).toMatchObject({ email, emailVerified: true, username: sub });
  });

  test('whose address is told without a word, is not verified by the userinfo of another', async () => {
    const sub = newName();
    const email = `${sub}@example.com`;
    const other = { sub, email: 'other@example.com', email_verified: true };
    const { user } = await signIn({ claims: { sub, email }, userinfo: other });
    expect(user.emailVerified).toBe(false);
  });

  test('whose name is taken, too short or of other letters, gets another one within the rules', async () => {
    const taken = await world.signUp();
    const names = [taken.username.toUpperCase(), 'ab', '日本語', '__', 'x'.repeat(80)];
    for (const preferred_username of names) {
      const { claims } = person({ preferred_username });
      const { user } = await signIn({ claims: { ...claims, email: undefined } });
      expect(user.username).toMatch(/^[A-Za-z0-9_]{3,50}$/);
    }
  });

  test('who comes back ten times at once has one account', async () => {
    for (const email_verified of [true, false]) {
      const { claims } = person({ email_verified });
      const seen = await Promise.all(Array.from({ length: 10 }, () => signIn({ claims })));
      expect(seen.map(({ error }) => error)).toEqual(Array.from({ length: 10 }, () => null));
      expect(new Set(seen.map(({ user }) => user.id)).size).toBe(1);
    }
  });

  test('whose identity was left behind by an account that is gone, gets an account all the same', async () => {
    const { stores } = world.node.container;
    const { claims } = person();
    const lost = newIdentity(newId(), { issuer: issuer.url, subject: claims.sub });
    await stores.identities.createIdentity(lost);
    const { user } = await signIn({ claims });
    expect(user.email).toBe(claims.email);
    expect((await stores.identities.findIdentity(issuer.url, claims.sub))?.ownerId).toBe(user.id);
    expect(await stores.identities.listIdentities(lost.ownerId)).toEqual([]);
  });

  test('with REQUIRE_EMAIL_VERIFICATION, comes in with a verified address only', async () => {
    const env = { REQUIRE_EMAIL_VERIFICATION: 'true', SMTP_URL: mailbox.url, MAIL_FROM: 'no-reply@parley.test' };
    const strict = await startOidcWorld({ fake: issuer }, { env });
    expect((await signIn(person({ email_verified: false }), strict)).error).toBe('EMAIL_NOT_VERIFIED');
    expect((await signIn(person(), strict)).error).toBeNull();
    await strict.stop();
  });
});

describe('an account with the same address', () => {
  test('that both sides have verified is linked: on record, and its owner is told', async () => {
    const account = await verifiedAccount();
    const { claims } = person({ email: account.email.toUpperCase() });
    const { user } = await signIn({ claims });
    expect(user).toMatchObject({ id: account.id, username: account.username, email: account.email });
    expect(await events(account.id, 'identity.linked')).toMatchObject([
      { actorId: account.id, outcome: 'success', details: { method: 'oidc:fake' } },
    ]);
    await mailbox.mailTo(account.email, 'A new way to log in');
    // The password goes on to work, and the second time nothing is linked.
    expect((await signIn({ claims })).user.id).toBe(account.id);
    expect(await events(account.id, 'identity.linked')).toHaveLength(1);
    const json = { username: account.username, password: account.password };
    expect((await call(`${world.url}/api/auth/login`, { method: 'POST', json })).status).toBe(200);
  });

  test('that has not verified it is neither linked nor taken over; once it has, it is linked', async () => {
    const account = await world.signUp();
    const { claims } = person({ email: account.email });
    const { error, user } = await signIn({ claims });
    expect([error, user]).toEqual(['EMAIL_TAKEN', null]);
    expect(await world.node.container.stores.identities.listIdentities(account.id)).toEqual([]);
    await world.node.container.stores.users.verifyEmail(account.id, account.email, new Date());
    expect((await signIn({ claims })).user.id).toBe(account.id);
  });

  test('that the issuer has not verified is neither linked nor told of', async () => {
    const account = await verifiedAccount();
    const { user, error } = await signIn(person({ email: account.email, email_verified: false }));
    expect(error).toBeNull();
    expect(user.id).not.toBe(account.id);
    expect(user.email).not.toBe(account.email);
  });

  test('is not linked by a provider whose word is not taken for it', async () => {
    const wary = await startOidcWorld({ fake: issuer }, { env: { OIDC_FAKE_TRUST_EMAIL: 'false' } });
    const account = await verifiedAccount(wary);
    const { user } = await signIn(person({ email: account.email }), wary);
    expect(user.id).not.toBe(account.id);
    expect(user.emailVerified).toBe(false);
    await wary.stop();
  });

  test('that is disabled is not linked', async () => {
    const account = await verifiedAccount();
    await world.node.container.stores.users.updateAccount(account.id, { status: 'disabled' }, new Date());
    expect((await signIn(person({ email: account.email }))).error).toBe('ACCOUNT_DISABLED');
    expect(await world.node.container.stores.identities.listIdentities(account.id)).toEqual([]);
  });
});

describe('an account that is signed in to so', () => {
  test('gets a password by «forgot password», and can be deleted by it; its identity goes along', async () => {
    const { claims } = person();
    const { user } = await signIn({ claims });
    const json = { email: claims.email };
    await call(`${world.url}/api/auth/forgot-password`, { method: 'POST', json });
    const { token } = await mailbox.mailTo(claims.email, 'Set a new password');
    const reset = { token, newPassword: PASSWORD };
    expect((await call(`${world.url}/api/auth/reset-password`, { method: 'POST', json: reset })).status).toBe(204);
    const login = { username: claims.email, password: PASSWORD, session: 'token' };
    const { status, body } = await call(`${world.url}/api/auth/login`, { method: 'POST', json: login });
    expect(status).toBe(200);
    // Both ways in are good by now.
    expect((await signIn({ claims })).user.id).toBe(user.id);
    const headers = { Authorization: `Bearer ${String(body.accessToken)}` };
    const gone = await call(`${world.url}/api/auth/me`, { method: 'DELETE', headers, json: { password: PASSWORD } });
    expect(gone.status).toBe(204);
    expect(await world.node.container.stores.identities.listIdentities(user.id)).toEqual([]);
    const again = await signIn({ claims });
    expect(again.error).toBeNull();
    expect(again.user.id).not.toBe(user.id);
  });

  test('without an address, gets its first one by a fresh login, and no mail goes to nobody', async () => {
    let now = Date.now();
    const env = { SMTP_URL: mailbox.url, MAIL_FROM: 'no-reply@parley.test' };
    const node = await startOidcWorld({ fake: issuer }, { env, clock: { now: () => now } });
    const { claims } = person({ email: undefined });
    const { verifier, challenge } = newVerifier();
    issuer.behave({ claims });
    const start = `${START}?returnTo=/home&session=token&codeChallenge=${challenge}`;
    const { url } = await node.newBrowser().open(start, { until: /\.test\/home/ });
    const { body } = await node.exchange(url.searchParams.get('code') ?? '', verifier);
    const headers = { Authorization: `Bearer ${String(body.accessToken)}` };
    const email = `${newName()}@example.com`;
    const change = (json: object) => call(`${node.url}/api/auth/me`, { method: 'PATCH', headers, json });
    now += 10 * 60_000;
    expect((await change({ email })).body.code).toBe('INVALID_CREDENTIALS');
    now -= 60_000;
    expect((await change({ email })).body.user).toMatchObject({ email, emailVerified: false });
    // From then on it has an address to lose.
    expect((await change({ email: `${newName()}@example.com` })).body.code).toBe('VALIDATION_FAILED');
    const { token } = await mailbox.mailTo(email, 'Verify');
    expect((await call(`${node.url}/api/auth/verify-email`, { method: 'POST', json: { token } })).status).toBe(204);
    await node.stop();
    expect(mailbox.mails.filter(({ to }) => to.endsWith('.invalid'))).toEqual([]);
  });

  test('is told by mail of a device that is new to it', async () => {
    const { claims } = person();
    await signIn({ claims });
    issuer.behave({ claims });
    const phone = world.newBrowser({
      'User-Agent': 'Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0',
    });
    await phone.open(`${START}?returnTo=/home`, { until: /\.test\/home/ });
    const mail = await mailbox.mailTo(claims.email, 'New login');
    expect(mail.text).toContain('Firefox on Android');
  });

  test('has at most 20 logins: the next one ends the oldest', async () => {
    const { claims } = person();
    const first = await signIn({ claims });
    let last = first;
    for (let count = 0; count < 20; count += 1) last = await signIn({ claims });
    expect((await world.askAs(first.browser, 'GET', '/api/auth/me')).status).toBe(401);
    expect((await world.askAs(last.browser, 'GET', '/api/auth/me')).status).toBe(200);
  });

  test('with a second factor is asked for it, in both modes, whatever the issuer says of one', async () => {
    const account = await verifiedAccount();
    const offer = await offerFor(world, account.accessToken);
    const code = codeOf(world, offer.secret, -1);
    const { setupToken } = offer;
    await confirmTotp(world, account.accessToken, { setupToken, code, password: PASSWORD }).expect(200);
    const claims = { ...person({ email: account.email }).claims, amr: ['pwd', 'otp', 'mfa'], acr: 'mfa' };

    const { browser, error, user, fragment } = await signIn({ claims });
    expect([error, user]).toEqual(['MFA_REQUIRED', null]);
    expect(browser.given.has('parley_at')).toBe(false);
    const json = { mfaToken: fragment.get('mfaToken'), code: codeOf(world, offer.secret), session: 'token' };
    const finished = await call(`${world.url}/api/auth/mfa`, { method: 'POST', json });
    expect([finished.status, finished.body.user?.id]).toEqual([200, account.id]);
    const method = await waitFor(async () => (await events(account.id, 'login.succeeded'))[0]?.details?.method);
    expect(method).toBe('oidc:fake+totp');

    const { verifier, challenge } = newVerifier();
    const start = `${START}?returnTo=/home&session=token&codeChallenge=${challenge}`;
    const { url } = await world.newBrowser().open(start, { until: /\.test\/home/ });
    const { status, body } = await world.exchange(url.searchParams.get('code') ?? '', verifier);
    expect([status, body.code, typeof body.mfaToken]).toEqual([401, 'MFA_REQUIRED', 'string']);
  });
});
