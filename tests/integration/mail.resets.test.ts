import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import request from 'supertest';
import { bearer, newAccount, PASSWORD, signUp } from '../support/accounts.ts';
import { startMailbox, type Mailbox } from '../support/mailbox.ts';
import { codeOf, confirmTotp, offerFor } from '../support/secondFactor.ts';
import { startWorld, type World } from '../support/world.ts';

const NEW_PASSWORD = 'Another-Horse-8';

let mailbox: Mailbox;
let world: World;
beforeAll(async () => {
  mailbox = await startMailbox();
  const PUBLIC_URL = 'https://chat.example.com';
  world = await startWorld({ env: { SMTP_URL: mailbox.url, MAIL_FROM: 'no-reply@example.com', PUBLIC_URL } });
});
afterAll(async () => {
  await world.stop();
  await mailbox.stop();
});

const post = (path: string, body: object) => request(world.url).post(`/api/auth/${path}`).send(body);
const login = (username: string, password: string) => post('login', { username, password, session: 'token' });
const me = async (token: string) => (await request(world.url).get('/api/auth/me').set(bearer(token))).body.user;

describe('a reset by mail', () => {
  const resetBy = async (email: string) => {
    await post('forgot-password', { email }).expect(202);
    const { token } = await mailbox.mailTo(email, 'Set a new password');
    await post('reset-password', { token, newPassword: NEW_PASSWORD }).expect(204);
  };
  const keyOf = async ({ accessToken }: { accessToken: string }) => {
    const made = await request(world.url)
      .post('/api/keys')
      .set(bearer(accessToken))
      .send({ name: 'k', scopes: ['read'] });
    return String(made.body.key);
  };
  const chats = (token: string) => request(world.url).get('/api/chat/sessions').set(bearer(token));

  test('of an address that nobody had verified, ends keys and second factor of whoever made the account with it', async () => {
    const stranger = await signUp(world.url);
    const key = await keyOf(stranger);
    const offer = await offerFor(world, stranger.accessToken);
    const code = codeOf(world, offer.secret);
    const confirmation = { setupToken: offer.setupToken, code, password: PASSWORD };
    await confirmTotp(world, stranger.accessToken, confirmation).expect(200);
    await chats(key).expect(200);

    await resetBy(stranger.email);

    for (const token of [key, stranger.accessToken]) {
      expect((await chats(token)).body).toMatchObject({ status: 401, code: 'TOKEN_REVOKED' });
    }
    // No second factor keeps the rightful user out.
    const { status, body } = await login(stranger.email, NEW_PASSWORD);
    expect([status, body.user.emailVerified]).toEqual([200, true]);
    const keys = await request(world.url).get('/api/keys').set(bearer(body.accessToken));
    expect(keys.body.items).toEqual([]);
    const mail = await mailbox.mailTo(stranger.email, 'Your password was changed');
    expect(mail.text).toContain('API keys, sign-ins by other services and a second factor');
    const actions = ['key.revoked', 'mfa.disabled'];
    const { audit } = world.node.container;
    const { items } = await audit.listEvents({ ownerId: body.user.id, actions, limit: 9 });
    const details = { reason: 'address verified by reset' };
    expect(items.map(({ action }) => action).toSorted()).toEqual(actions);
    for (const item of items) expect(item).toMatchObject({ actorId: body.user.id, details });
  });

  test('of such an address, ends a key that is made at the same time, too', async () => {
    for (let round = 0; round < 5; round += 1) {
      const stranger = await signUp(world.url);
      await post('forgot-password', { email: stranger.email }).expect(202);
      const { token } = await mailbox.mailTo(stranger.email, 'Set a new password');
      const [, ...keys] = await Promise.all([
        post('reset-password', { token, newPassword: NEW_PASSWORD }).expect(204),
        ...Array.from({ length: 6 }, () => keyOf(stranger)),
      ]);
      for (const key of keys.filter((text) => text.startsWith('parley_sk_'))) {
        expect((await chats(key)).body.code).toBe('TOKEN_REVOKED');
      }
    }
  });

  test('on another node, which this one has not heard of yet, lets no login of before make a key here', async () => {
    const user = await signUp(world.url);
    const { stores } = world.node.container;
    const { id } = await me(user.accessToken);
    await stores.logins.endLogins(id, new Date(), null);
    // What this node remembers of the login is up to 30 s old.
    await chats(user.accessToken).expect(200);
    const made = await request(world.url)
      .post('/api/keys')
      .set(bearer(user.accessToken))
      .send({ name: 'k', scopes: ['read'] });
    expect([made.status, made.body.code]).toEqual([401, 'TOKEN_REVOKED']);
    expect(await stores.apiKeys.listKeys(id, { after: null, limit: 9 })).toEqual([]);
  });

  test('of an address that was verified before, keeps keys and second factor', async () => {
    const user = await signUp(world.url);
    await post('verify-email', { token: (await mailbox.mailTo(user.email, 'Verify')).token }).expect(204);
    const key = await keyOf(user);
    const offer = await offerFor(world, user.accessToken);
    const code = codeOf(world, offer.secret);
    const confirmation = { setupToken: offer.setupToken, code, password: PASSWORD };
    await confirmTotp(world, user.accessToken, confirmation).expect(200);

    await resetBy(user.email);

    await chats(key).expect(200);
    expect((await login(user.email, NEW_PASSWORD)).body.code).toBe('MFA_REQUIRED');
    expect((await mailbox.mailTo(user.email, 'Your password was changed')).text).not.toContain('sign-ins by other');
  });

  test('is not set to one with the account’s name in it, and the link stays good', async () => {
    const user = { ...newAccount(), username: `Ada_${randomBytes(3).toString('hex')}_Zantorvik` };
    await post('signup', user).expect(201);
    await post('forgot-password', { email: user.email }).expect(202);
    const { token } = await mailbox.mailTo(user.email, 'Set a new password');
    const weak = await post('reset-password', { token, newPassword: 'Zantorvik-1' });
    expect(weak.body).toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ path: 'newPassword' }] });
    await post('reset-password', { token, newPassword: NEW_PASSWORD }).expect(204);
  });
});
