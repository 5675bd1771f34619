import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import request from 'supertest';
import { bearer, cookiesOf, logIn, PASSWORD, signUp, startClockNode, type ClockNode } from '../support/accounts.ts';
import { describeOnEachDatabase } from '../support/databases.ts';
import { startMailbox, type Mailbox } from '../support/mailbox.ts';
import {
  codeOf,
  confirmTotp,
  firstStep,
  getTotp,
  mfaTokenOf,
  offerFor,
  removeTotp,
  secondStep,
  signUpWithTotp,
  STEP_MS,
  wrongCodeOf,
} from '../support/secondFactor.ts';

const PUBLIC_URL = 'https://chat.example.com';
const NEW_PASSWORD = 'Another-Horse-8';

let mailbox: Mailbox;
let node: ClockNode;
const start = (env: Record<string, string> = {}): Promise<ClockNode> =>
  startClockNode({
    SMTP_URL: mailbox.url,
    MAIL_FROM: 'chat@example.com',
    PUBLIC_URL,
    ADMIN_PASSWORD: PASSWORD,
    TOTP_ISSUER: 'Example Chat',
    ...env,
  });
beforeAll(async () => {
  mailbox = await startMailbox();
  node = await start();
});
afterAll(async () => {
  await node.stop();
  await mailbox.stop();
});

const post = (path: string, body: object, token = '') =>
  request(node.url)
    .post(path)
    .set(token === '' ? {} : bearer(token))
    .send(body);
const me = async (at: ClockNode, token: string) =>
  (await request(at.url).get('/api/auth/me').set(bearer(token)).expect(200)).body.user;
const eventsOf = async (at: ClockNode, ownerId: string) => {
  const { audit } = at.node.container;
  await audit.flush();
  return (await audit.listEvents({ ownerId, limit: 100 })).items.toReversed();
};
const actionsOf = async (at: ClockNode, ownerId: string) => (await eventsOf(at, ownerId)).map(({ action }) => action);

await describeOnEachDatabase((database) => {
  let own: ClockNode;
  beforeAll(async () => {
    own = await start(database.env());
  });
  afterAll(() => own.stop());

  test('the whole way: set up, confirm, log out, log in in two steps, refresh, recovery code, remove', async () => {
    const user = await signUp(own.url);
    const offer = await offerFor(own, user.accessToken);
    expect(offer.otpauthUri).toMatch(/^otpauth:\/\/totp\/Example%20Chat:user_\w+\?/);
    const uri = new URL(offer.otpauthUri).searchParams;
    expect([uri.get('secret'), uri.get('issuer')]).toEqual([offer.secret, 'Example Chat']);
    expect(offer.secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(new Set(offer.recoveryCodes).size).toBe(10);
    for (const code of offer.recoveryCodes) expect(code).toMatch(/^([a-z2-7]{6}-){3}[a-z2-7]{6}$/);

    // Asking changed nothing.
    await firstStep(own, user).expect(200);
    const code = codeOf(own, offer.secret);
    const confirmed = await confirmTotp(own, user.accessToken, {
      setupToken: offer.setupToken,
      code,
      password: PASSWORD,
    }).expect(200);
    expect(confirmed.body).toEqual({ enabled: true, enabledAt: expect.any(String), recoveryCodesLeft: 10 });
    expect((await getTotp(own, user.accessToken)).body).toEqual(confirmed.body);
    expect(await me(own, user.accessToken)).toMatchObject({ mfaEnabled: true });
    await mailbox.mailTo(user.email, 'Second factor switched on');
    await request(own.url).post('/api/auth/logout').set(bearer(user.accessToken)).expect(204);

    const { users, logins } = own.node.container.stores;
    const state = async () => ({
      user: await users.findUser(user.id),
      logins: await logins.listLogins(user.id, { after: null, limit: 9 }, new Date(own.node.container.clock.now())),
    });
    const before = await state();
    const refused = await firstStep(own, user).expect(401);
    expect(refused.body).toMatchObject({ code: 'MFA_REQUIRED', status: 401, retryable: false });
    expect(Object.keys(refused.body)).not.toContain('accessToken');
    expect(refused.headers).not.toHaveProperty('set-cookie');
    expect(await state()).toEqual(before);

    const { mfaToken } = refused.body;
    // The code that confirmed is spent.
    await secondStep(own, { mfaToken, code }).expect(401);
    own.advance(STEP_MS);
    const spaced = codeOf(own, offer.secret).replace(/^.../, '$& ');
    const { body } = await secondStep(own, { mfaToken, code: spaced }).expect(200);
    expect(body).toEqual({
      user: expect.objectContaining({ id: user.id, mfaEnabled: true }),
      accessToken: expect.any(String),
      tokenType: 'Bearer',
      expiresIn: 900,
      refreshToken: expect.any(String),
      deviceToken: expect.stringMatching(/^[\w-]{70}$/),
    });
    const refreshed = await request(own.url).post('/api/auth/refresh').send({ refreshToken: body.refreshToken });
    expect(refreshed.status).toBe(200);

    const [first = '', second = ''] = offer.recoveryCodes;
    const again = await mfaTokenOf(own, user);
    const typed = first.toUpperCase().replaceAll('-', ' ');
    const recovered = await secondStep(own, { mfaToken: again, recoveryCode: typed }).expect(200);
    expect((await mailbox.mailTo(user.email, 'Recovery code used')).text).toContain('9 are left');
    const token: string = recovered.body.accessToken;
    expect((await getTotp(own, token)).body).toMatchObject({ enabled: true, recoveryCodesLeft: 9 });

    await removeTotp(own, token, { password: PASSWORD, recoveryCode: first }).expect(401);
    await removeTotp(own, token, { password: PASSWORD, recoveryCode: second }).expect(204);
    await mailbox.mailTo(user.email, 'Second factor switched off');
    expect((await getTotp(own, token)).body).toMatchObject({ enabled: false });
    expect((await firstStep(own, user).expect(200)).body.user).toMatchObject({ mfaEnabled: false });

    expect(await actionsOf(own, user.id)).toEqual([
      'account.created',
      'login.succeeded',
      'mfa.enabled',
      'login.ended',
      'mfa.asked',
      'login.failed',
      'login.succeeded',
      'mfa.asked',
      'mfa.recovery-used',
      'login.succeeded',
      'mfa.refused',
      'mfa.recovery-used',
      'mfa.disabled',
      'login.succeeded',
    ]);
    const history = await request(own.url).get('/api/auth/history').set(bearer(token)).expect(200);
    const methods = history.body.items.map(({ method, outcome }: Record<string, string>) => [method, outcome]);
    expect(methods.toReversed()).toEqual([
      ['signup', 'success'],
      ['password', 'success'],
      ['password+totp', 'failure'],
      ['password+totp', 'success'],
      ['password+recovery-code', 'success'],
      ['password', 'success'],
    ]);
  });
});

describe('setting up', () => {
  test('gives another secret each time, stores nothing, and no answer with secrets may be kept', async () => {
    const user = await signUp(node.url);
    const answers = [await getTotp(node, user.accessToken), await getTotp(node, user.accessToken)];
    expect(answers.map(({ headers }) => headers['cache-control'])).toEqual(['no-store', 'no-store']);
    expect(new Set(answers.flatMap(({ body }) => [body.secret, ...body.recoveryCodes])).size).toBe(22);
    expect(await node.node.container.stores.secondFactors.findFactor(user.id)).toBeNull();
    expect(await me(node, user.accessToken)).toMatchObject({ mfaEnabled: false });
  });

  test('at rest there is neither the secret nor a recovery code in clear', async () => {
    const user = await signUpWithTotp(node);
    const stored = JSON.stringify(await node.node.container.stores.secondFactors.findFactor(user.id));
    for (const secret of [
      user.secret,
      ...user.recoveryCodes,
      ...user.recoveryCodes.map((code) => code.replaceAll('-', '')),
    ]) {
      expect(stored).not.toContain(secret);
    }
  });

  test('confirmed without the password, with a wrong code, an expired, foreign or changed token, switches nothing on', async () => {
    const [user, other] = [await signUp(node.url), await signUp(node.url)];
    const { secret, setupToken } = await offerFor(node, user.accessToken);
    const code = codeOf(node, secret);
    const tryWith = async (body: object, { accessToken } = user) =>
      (await confirmTotp(node, accessToken, { setupToken, code, password: PASSWORD, ...body })).body.code;
    expect(await tryWith({ password: 'Wrong-Horse-7' })).toBe('INVALID_CREDENTIALS');
    expect(await tryWith({ code: wrongCodeOf(node, secret) })).toBe('INVALID_CREDENTIALS');
    for (const wrong of [{ code: '12345' }, { code: 123456 }, { password: undefined }, { code: { $gt: '' } }]) {
      expect(await tryWith(wrong)).toBe('VALIDATION_FAILED');
    }
    expect(await tryWith({}, other)).toBe('VALIDATION_FAILED');
    const flipped = `${setupToken.slice(0, -1)}${setupToken.endsWith('A') ? 'Q' : 'A'}`;
    for (const wrong of [flipped, setupToken.slice(9), '', await mfaTokenOf(node, await signUpWithTotp(node))]) {
      expect(await tryWith({ setupToken: wrong })).toBe('VALIDATION_FAILED');
    }
    expect(await me(node, user.accessToken)).toMatchObject({ mfaEnabled: false });
    const late = await start();
    const slow = await signUp(late.url);
    const offer = await offerFor(late, slow.accessToken);
    late.advance(30 * 60_000);
    const { accessToken } = await logIn(late.url, slow);
    const expired = { setupToken: offer.setupToken, code: codeOf(late, offer.secret), password: PASSWORD };
    expect((await confirmTotp(late, accessToken, expired)).body).toMatchObject({
      code: 'VALIDATION_FAILED',
      errors: [{ path: 'setupToken' }],
    });
    await late.stop();
  });

  test('confirmed twice, as by who did not get the answer, is the same; another set-up is refused while it is on', async () => {
    const user = await signUp(node.url);
    const [offer, other] = [await offerFor(node, user.accessToken), await offerFor(node, user.accessToken)];
    const confirm = ({ setupToken, secret }: typeof offer) =>
      confirmTotp(node, user.accessToken, { setupToken, code: codeOf(node, secret), password: PASSWORD });
    const answers = await Promise.all([confirm(offer), confirm(offer)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect((await confirm(other)).body).toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ path: 'setupToken' }] });
    expect((await actionsOf(node, user.id)).filter((action) => action === 'mfa.enabled')).toHaveLength(1);
  });

  test('no API key reaches it', async () => {
    const user = await signUpWithTotp(node);
    const { body } = await post('/api/keys', { name: 'k', scopes: ['chat', 'read'] }, user.accessToken).expect(201);
    for (const answer of [
      await getTotp(node, body.key),
      await confirmTotp(node, body.key, {}),
      await removeTotp(node, body.key, {}),
    ]) {
      expect([answer.status, answer.body.code]).toEqual([403, 'FORBIDDEN']);
    }
  });
});

describe('removing', () => {
  test('needs the password, and a code or a recovery code; then there is nothing to remove, which is no mistake', async () => {
    const user = await signUpWithTotp(node);
    node.advance(STEP_MS);
    const remove = async (body: object) => {
      const answer = await removeTotp(node, user.accessToken, body);
      return answer.status === 204 ? 'gone' : answer.body.code;
    };
    const code = codeOf(node, user.secret);
    expect(await remove({ password: PASSWORD })).toBe('VALIDATION_FAILED');
    expect(await remove({ code })).toBe('VALIDATION_FAILED');
    expect(await remove({ password: PASSWORD, code, recoveryCode: user.recoveryCodes[0] })).toBe('VALIDATION_FAILED');
    expect(await remove({ password: 'Wrong-Horse-7', code })).toBe('INVALID_CREDENTIALS');
    expect(await remove({ password: PASSWORD, code: wrongCodeOf(node, user.secret) })).toBe('INVALID_CREDENTIALS');
    expect(await me(node, user.accessToken)).toMatchObject({ mfaEnabled: true });
    expect(await remove({ password: PASSWORD, code })).toBe('gone');
    expect(await remove({ password: PASSWORD, code })).toBe('gone');
    expect((await actionsOf(node, user.id)).filter((action) => action === 'mfa.disabled')).toHaveLength(1);
  });
});

describe('other ways in', () => {
  test('the password grant of OAuth is refused in OAuth’s words and gives no token', async () => {
    const user = await signUpWithTotp(node);
    const { status, body } = await request(node.url)
      .post('/api/auth/token')
      .type('form')
      .send({ grant_type: 'password', username: user.username, password: PASSWORD });
    expect([status, body]).toEqual([400, { error: 'invalid_grant', error_description: 'A second factor is required' }]);
  });

  test('a password that was reset by mail is no way past it, and leaves it on', async () => {
    const user = await signUpWithTotp(node);
    const verification = await mailbox.mailTo(user.email, 'Verify');
    await post('/api/auth/verify-email', { token: verification.token }).expect(204);
    await post('/api/auth/forgot-password', { email: user.email }).expect(202);
    const { token } = await mailbox.mailTo(user.email, 'Set a new password');
    const reset = await post('/api/auth/reset-password', { token, newPassword: NEW_PASSWORD }).expect(204);
    expect(reset.headers).not.toHaveProperty('set-cookie');
    const mfaToken = await mfaTokenOf(node, { username: user.username, password: NEW_PASSWORD });
    node.advance(STEP_MS);
    await secondStep(node, { mfaToken, code: codeOf(node, user.secret) }).expect(200);
  });

  test('a browser gets cookies from the second step, and none from the first', async () => {
    const user = await signUpWithTotp(node);
    node.advance(STEP_MS);
    const first = await post('/api/auth/login', { username: user.username, password: PASSWORD }).expect(401);
    expect(first.headers).not.toHaveProperty('set-cookie');
    const { mfaToken } = first.body;
    const { body, headers } = await post('/api/auth/mfa', { mfaToken, code: codeOf(node, user.secret) }).expect(200);
    const names = cookiesOf(headers['set-cookie']).map((cookie) => cookie.split('=', 1)[0]);
    expect(names).toEqual(['__Host-parley_at', '__Secure-parley_rt', '__Secure-parley_dt']);
    expect(Object.keys(body)).toEqual(['user', 'accessToken', 'tokenType', 'expiresIn']);
  });

  test('the second step from another site’s page is refused', async () => {
    const user = await signUpWithTotp(node);
    const mfaToken = await mfaTokenOf(node, user);
    const { status, body } = await secondStep(node, { mfaToken, code: '123456' }).set('Origin', 'https://evil.example');
    expect([status, body.code]).toEqual([403, 'ORIGIN_NOT_ALLOWED']);
  });

  test('an account that was disabled between the steps stays out', async () => {
    const user = await signUpWithTotp(node);
    const mfaToken = await mfaTokenOf(node, user);
    node.advance(STEP_MS);
    await node.node.container.stores.users.updateAccount(user.id, { status: 'disabled' }, new Date());
    expect((await secondStep(node, { mfaToken, code: codeOf(node, user.secret) })).body.code).toBe('ACCOUNT_DISABLED');
  });
});

describe('admins', () => {
  test('switch a user’s second factor off, which is on record and told to the user; not their own', async () => {
    const admin = await logIn(node.url, { username: 'admin', password: PASSWORD });
    const asAdmin = (id: string) =>
      request(node.url).delete(`/api/admin/users/${id}/mfa`).set(bearer(admin.accessToken));
    const user = await signUpWithTotp(node);
    const mfaToken = await mfaTokenOf(node, user);
    expect(
      (await request(node.url).delete(`/api/admin/users/${user.id}/mfa`).set(bearer(user.accessToken))).status,
    ).toBe(403);
    await asAdmin(user.id).expect(204);
    await mailbox.mailTo(user.email, 'Second factor switched off');
    expect((await eventsOf(node, user.id)).at(-1)).toMatchObject({
      action: 'mfa.disabled',
      actorId: admin.id,
      ownerId: user.id,
      outcome: 'success',
    });
    // Who is between the steps begins again.
    node.advance(STEP_MS);
    expect((await secondStep(node, { mfaToken, code: codeOf(node, user.secret) })).body.code).toBe('TOKEN_INVALID');
    await firstStep(node, user).expect(200);
    await asAdmin(user.id).expect(204);
    expect((await asAdmin('01a1ff50-6075-7758-a407-f327b153a637')).body.code).toBe('USER_NOT_FOUND');
    expect((await asAdmin(admin.id)).body).toMatchObject({ code: 'FORBIDDEN' });
  });
});
