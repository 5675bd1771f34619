import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import request from 'supertest';
import { bearer, logIn, newAccount, PASSWORD, signUp, startClockNode } from '../support/accounts.ts';
import { SMTP_PASSWORD, startMailbox, type Mailbox } from '../support/mailbox.ts';
import { startWorld, type World } from '../support/world.ts';

const PUBLIC_URL = 'https://chat.example.com';
const FROM = 'Example Chat <no-reply@example.com>';
const NEW_PASSWORD = 'Another-Horse-8';
const PHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile Safari/604.1';

let mailbox: Mailbox;
let world: World;
let strict: World;
const env = () => ({ SMTP_URL: mailbox.url, MAIL_FROM: FROM, PUBLIC_URL });
beforeAll(async () => {
  mailbox = await startMailbox();
  world = await startWorld({ env: env() });
  strict = await startWorld({ env: { ...env(), REQUIRE_EMAIL_VERIFICATION: 'true' } });
});
afterAll(async () => {
  await world.stop();
  await strict.stop();
  await mailbox.stop();
});

const post = (path: string, body: object, { at = world, token = '' }: { at?: { url: string }; token?: string } = {}) =>
  request(at.url)
    .post(`/api/auth/${path}`)
    .set(token === '' ? {} : bearer(token))
    .send(body);
const login = (username: string, password = PASSWORD, at = world) =>
  post('login', { username, password, session: 'token' }, { at });
const me = async (token: string) => (await request(world.url).get('/api/auth/me').set(bearer(token))).body.user;
const mailsTo = (address: string) => mailbox.mails.filter(({ to }) => to === address);
/** All that a client can tell two answers apart by. */
const visible = ({ status, text, headers }: request.Response) => {
  const { date: _date, 'x-request-id': _id, 'content-length': _length, ...rest } = headers as Record<string, string>;
  return { status, text, rest };
};

describe('verification', () => {
  test('a signup sends a link under PUBLIC_URL, whatever the Host header; followed, the address is verified, once', async () => {
    const account = newAccount();
    const { body } = await post('signup', { ...account, session: 'token' })
      .set('Host', 'evil.example')
      .expect(201);
    expect(body.user.emailVerified).toBe(false);
    const mail = await mailbox.mailTo(account.email, 'Verify');
    expect(mail).toMatchObject({
      from: 'no-reply@example.com',
      subject: 'Verify your e-mail address - chat.example.com',
    });
    expect(mail.headers).toContain(`From: ${FROM}`);
    expect(mail.link).toMatch(/^https:\/\/chat\.example\.com\/verify-email#token=[\w-]{43}$/);
    expect(mail.text).toContain(account.username);
    expect(mail.headers + mail.text).not.toContain('evil');

    await post('verify-email', { token: mail.token }).expect(204, '');
    expect((await me(body.accessToken)).emailVerified).toBe(true);
    expect((await post('verify-email', { token: mail.token })).body).toMatchObject({
      status: 401,
      code: 'TOKEN_INVALID',
    });
  });

  test('the link, sent again, voids the one before; 10 followers at once are one', async () => {
    const user = await signUp(world.url);
    const first = await mailbox.mailTo(user.email, 'Verify');
    await post('resend-verification', { email: user.email.toUpperCase() }).expect(202, '');
    const second = await mailbox.mailTo(user.email, 'Verify', 1);
    expect((await post('verify-email', { token: first.token })).body.code).toBe('TOKEN_INVALID');
    const answers = await Promise.all(Array.from({ length: 10 }, () => post('verify-email', { token: second.token })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([204, ...Array<number>(9).fill(401)]);
    await post('resend-verification', { email: user.email }).expect(202, '');
    await world.node.container.mailer.idle();
    expect(mailsTo(user.email)).toHaveLength(2);
  });

  test('a new e-mail address is verified anew, the old one is told, and links that went to it are void', async () => {
    const user = await signUp(world.url);
    const old = await mailbox.mailTo(user.email, 'Verify');
    const email = newAccount().email;
    const patch = await request(world.url)
      .patch('/api/auth/me')
      .set(bearer(user.accessToken))
      .send({ email, currentPassword: PASSWORD });
    expect(patch.body.user).toMatchObject({ email, emailVerified: false });
    const mail = await mailbox.mailTo(email, 'Verify');
    expect((await mailbox.mailTo(user.email, 'Your e-mail address was changed')).text).not.toContain(email);
    expect((await post('verify-email', { token: old.token })).body.code).toBe('TOKEN_INVALID');
    await post('verify-email', { token: mail.token }).expect(204);
    expect(await me(user.accessToken)).toMatchObject({ email, emailVerified: true });
  });
});

describe('a forgotten password', () => {
  test('is set anew by the link: every login ends, the address is verified, the user is told, and the link is spent', async () => {
    const user = await signUp(world.url);
    const there = await logIn(world.url, user);
    await post('forgot-password', { email: user.email }).set('Host', 'evil.example').expect(202, '');
    const mail = await mailbox.mailTo(user.email, 'Set a new password');
    expect(mail.link).toMatch(/^https:\/\/chat\.example\.com\/reset-password#token=[\w-]{43}$/);

    const weak = await post('reset-password', { token: mail.token, newPassword: 'weak' });
    expect(weak.body).toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ path: 'newPassword' }] });
    await post('reset-password', { token: mail.token, newPassword: NEW_PASSWORD }).expect(204, '');

    for (const { accessToken } of [user, there]) {
      const seen = await request(world.url).get('/api/auth/me').set(bearer(accessToken));
      expect(seen.body.code).toBe('TOKEN_REVOKED');
    }
    expect((await login(user.username)).body.code).toBe('INVALID_CREDENTIALS');
    const { body } = await login(user.email, NEW_PASSWORD);
    expect(body.user.emailVerified).toBe(true);
    await mailbox.mailTo(user.email, 'Your password was changed');
    const again = await post('reset-password', { token: mail.token, newPassword: PASSWORD });
    expect(again.body).toMatchObject({ status: 401, code: 'TOKEN_INVALID' });
  });

  test('a link of one kind is not one of another, and a change of the password voids it', async () => {
    const user = await signUp(world.url);
    await post('forgot-password', { email: user.email });
    const { token } = await mailbox.mailTo(user.email, 'Set a new password');
    expect((await post('verify-email', { token })).body.code).toBe('TOKEN_INVALID');
    const change = { currentPassword: PASSWORD, newPassword: NEW_PASSWORD };
    await post('password', change, { token: user.accessToken }).expect(204);
    await mailbox.mailTo(user.email, 'Your password was changed');
    expect((await post('reset-password', { token, newPassword: PASSWORD })).body.code).toBe('TOKEN_INVALID');
  });

  test('asked for, is answered alike for an address with and without an account; only the first gets mail, five an hour', async () => {
    const user = await signUp(world.url);
    const nobody = newAccount().email;
    for (const path of ['forgot-password', 'resend-verification']) {
      const known = visible(await post(path, { email: user.email }));
      expect(known).toMatchObject({ status: 202, text: '' });
      expect(visible(await post(path, { email: nobody }))).toEqual(known);
    }
    for (let count = 0; count < 8; count += 1) await post('forgot-password', { email: user.email }).expect(202);
    await mailbox.mailTo(user.email, 'Set a new password', 4);
    await world.node.container.mailer.idle();
    expect(mailsTo(user.email).filter(({ subject }) => subject.startsWith('Set'))).toHaveLength(5);
    expect(mailsTo(nobody)).toEqual([]);
  });

  test('a link whose address is not the account’s any more, stored while that changed, is no good for either', async () => {
    const user = await signUp(world.url);
    const { mailTokens, users } = world.node.container.stores;
    const expiresAt = new Date(Date.now() + 60_000);
    for (const [kind, path] of [
      ['reset', 'reset-password'],
      ['verify', 'verify-email'],
    ] as const) {
      const token = `late-${kind}`;
      const hash = createHash('sha256').update(token).digest('hex');
      await mailTokens.putMailToken({ kind, ownerId: user.id, hash, email: 'old@example.com', expiresAt });
      const body = kind === 'reset' ? { token, newPassword: NEW_PASSWORD } : { token };
      expect((await post(path, body)).body).toMatchObject({ status: 401, code: 'TOKEN_INVALID' });
    }
    expect((await users.findUser(user.id))?.emailVerified).toBe(false);
    expect((await login(user.username)).status).toBe(200);
  });

  test('of a disabled account, asked for, sends nothing, and a link from before is void', async () => {
    const user = await signUp(world.url);
    await post('forgot-password', { email: user.email });
    const { token } = await mailbox.mailTo(user.email, 'Set');
    await world.node.container.stores.users.updateUser(user.id, { status: 'disabled' }, new Date());
    await post('forgot-password', { email: user.email }).expect(202, '');
    expect((await post('reset-password', { token, newPassword: NEW_PASSWORD })).body.code).toBe('TOKEN_INVALID');
    await world.node.container.mailer.idle();
    expect(mailsTo(user.email).filter(({ subject }) => subject.startsWith('Set'))).toHaveLength(1);
  });
});

describe('links', () => {
  test('to verify are good for 24 hours, to reset for 30 minutes, and not a moment longer', async () => {
    const node = await startClockNode(env());
    try {
      for (const [path, ttlMs] of [
        ['verify-email', 24 * 3_600_000],
        ['reset-password', 30 * 60_000],
      ] as const) {
        const links: string[] = [];
        for (let count = 0; count < 2; count += 1) {
          const { email } = await signUp(node.url);
          await post('forgot-password', { email }, { at: node }).expect(202);
          links.push((await mailbox.mailTo(email, path === 'verify-email' ? 'Verify' : 'Set')).token);
        }
        const follow = (token = '') =>
          post(path, path === 'verify-email' ? { token } : { token, newPassword: NEW_PASSWORD }, { at: node });
        node.advance(ttlMs - 1);
        await follow(links[0]).expect(204);
        node.advance(1);
        expect((await follow(links[1])).body.code).toBe('TOKEN_INVALID');
      }
    } finally {
      await node.stop();
    }
  });
});

describe('REQUIRE_EMAIL_VERIFICATION', () => {
  test('a signup gets 202 without tokens; login is EMAIL_NOT_VERIFIED after the right password only, until the link was followed', async () => {
    const account = newAccount();
    const made = await post('signup', account, { at: strict });
    expect([made.status, made.body]).toEqual([202, { verification: 'sent' }]);
    expect(made.headers).not.toHaveProperty('set-cookie');
    expect((await login(account.username, 'Wrong-Horse-7', strict)).body.code).toBe('INVALID_CREDENTIALS');
    const refused = await login(account.username, PASSWORD, strict);
    expect([refused.status, refused.body.code]).toEqual([403, 'EMAIL_NOT_VERIFIED']);
    const grant = { grant_type: 'password', username: account.username, password: PASSWORD };
    const oauth = await request(strict.url).post('/api/auth/token').type('form').send(grant);
    expect([oauth.status, oauth.body.error]).toEqual([400, 'invalid_grant']);

    const { token } = await mailbox.mailTo(account.email, 'Verify');
    await post('verify-email', { token }, { at: strict }).expect(204);
    expect((await login(account.username, PASSWORD, strict)).status).toBe(200);
  });

  test('a signup with the address of an account is answered alike, its username is taken alike, and the owner is told', async () => {
    const [owner, free, taken] = [newAccount(), newAccount(), newAccount()];
    await post('signup', owner, { at: strict }).expect(202);
    const first = visible(await post('signup', free, { at: strict }));
    const second = visible(await post('signup', { ...taken, email: owner.email }, { at: strict }));
    expect(second).toEqual(first);
    const notice = await mailbox.mailTo(owner.email, 'You already have an account');
    expect(notice.text).toContain(owner.username);
    expect(notice.text).not.toContain(taken.username);

    // What could be tried next shows no difference either.
    for (const { username } of [free, taken]) {
      const again = await post('signup', { ...newAccount(), username }, { at: strict });
      expect([again.status, again.body.code]).toEqual([409, 'USERNAME_TAKEN']);
      expect((await login(username, PASSWORD, strict)).body.code).toBe('EMAIL_NOT_VERIFIED');
      expect((await login(username, 'Wrong-Horse-7', strict)).body.code).toBe('INVALID_CREDENTIALS');
    }
    expect(mailsTo(taken.email)).toEqual([]);
  });

  test('a login by the address that a signup gave is refused alike, whether it has an account or not, at both doors', async () => {
    const owner = await enter();
    const waiting = newAccount();
    await post('signup', waiting, { at: strict }).expect(202);
    const refusals = [];
    for (const email of [owner.email, waiting.email, newAccount().email]) {
      const guess = { ...newAccount(), email, password: 'Stranger-Horse-9' };
      await post('signup', guess, { at: strict }).expect(202);
      const byAddress = await post('login', { username: email, password: guess.password }, { at: strict });
      const grant = { grant_type: 'password', username: email.toUpperCase(), password: guess.password };
      const byGrant = await request(strict.url).post('/api/auth/token').type('form').send(grant);
      const byName = await post('login', { username: guess.username, password: guess.password }, { at: strict });
      refusals.push(
        [byAddress, byGrant, byName].map((answer) => {
          const { text, ...rest } = visible(answer);
          return { ...rest, text: text.replace(/"requestId":"[^"]*"/, '') };
        }),
      );
      expect([byAddress.status, byAddress.body.code]).toEqual([401, 'INVALID_CREDENTIALS']);
      expect([byGrant.status, byGrant.body.error]).toEqual([400, 'invalid_grant']);
      expect([byName.status, byName.body.code]).toEqual([403, 'EMAIL_NOT_VERIFIED']);
    }
    expect(refusals[1]).toEqual(refusals[0]);
    expect(refusals[2]).toEqual(refusals[0]);
    // Verified, an address is a name.
    expect((await login(owner.email, PASSWORD, strict)).status).toBe(200);
  });

  const enter = async () => {
    const account = newAccount();
    await post('signup', account, { at: strict }).expect(202);
    const { token } = await mailbox.mailTo(account.email, 'Verify');
    await post('verify-email', { token }, { at: strict }).expect(204);
    const { body } = await login(account.username, PASSWORD, strict);
    const patch = (change: object) =>
      request(strict.url).patch('/api/auth/me').set(bearer(body.accessToken)).send(change);
    return { ...account, accessToken: String(body.accessToken), patch };
  };
  const move = (email: string) => ({ email, currentPassword: PASSWORD });

  test('a new address is the account’s once its link was followed; until then, and if the link is void, it has the old one', async () => {
    const user = await enter();
    const email = newAccount().email;
    expect((await user.patch({ ...move(email), fullName: 'Ada' })).body.user).toMatchObject({
      email: user.email,
      emailVerified: true,
      fullName: 'Ada',
    });
    expect((await user.patch({ email })).body.code).toBe('VALIDATION_FAILED');
    const first = await mailbox.mailTo(email, 'Verify');
    const other = newAccount().email;
    await user.patch(move(other)).expect(200);
    const second = await mailbox.mailTo(other, 'Verify');
    expect((await post('verify-email', { token: first.token }, { at: strict })).body.code).toBe('TOKEN_INVALID');
    expect((await login(user.email, PASSWORD, strict)).status).toBe(200);

    await post('verify-email', { token: second.token }, { at: strict }).expect(204);
    await mailbox.mailTo(user.email, 'Your e-mail address was changed');
    const { body } = await login(other, PASSWORD, strict);
    expect(body.user).toMatchObject({ email: other, emailVerified: true });
    expect((await login(user.email, PASSWORD, strict)).body.code).toBe('INVALID_CREDENTIALS');

    const third = newAccount().email;
    await user.patch(move(third)).expect(200);
    const { token } = await mailbox.mailTo(third, 'Verify');
    const change = { currentPassword: PASSWORD, newPassword: NEW_PASSWORD };
    await post('password', change, { at: strict, token: user.accessToken }).expect(204);
    expect((await post('verify-email', { token }, { at: strict })).body.code).toBe('TOKEN_INVALID');
  });

  test('a new address that has an account is answered like one that has none; its owner is told, and nothing changes', async () => {
    const [owner, user] = [await enter(), await enter()];
    const free = newAccount().email;
    const answers = [];
    for (const email of [free, owner.email]) {
      const answer = visible(await user.patch(move(email)).expect(200));
      answers.push({ ...answer, text: answer.text.replace(/"updatedAt":"[^"]*"/, '') });
    }
    expect(answers[1]).toEqual(answers[0]);
    const notice = await mailbox.mailTo(owner.email, 'You already have an account');
    expect(notice.text).not.toContain(user.username);

    // Whoever gets it first has it: the link of the other is then like any other that is no good.
    const late = await mailbox.mailTo(free, 'Verify');
    await post('signup', { ...newAccount(), email: free }, { at: strict }).expect(202);
    const { token } = await mailbox.mailTo(free, 'Verify', 1);
    await post('verify-email', { token }, { at: strict }).expect(204);
    expect((await post('verify-email', { token: late.token }, { at: strict })).body.code).toBe('TOKEN_INVALID');
    expect((await login(user.email, PASSWORD, strict)).status).toBe(200);
  });
});

describe('a new login', () => {
  test('on a kind of device that the history does not have is told by mail, once; on a known one it is not', async () => {
    const account = newAccount();
    const desktop = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
    await post('signup', account).set('User-Agent', desktop).expect(201);
    const on = (agent: string) =>
      post('login', { username: account.username, password: PASSWORD }).set('User-Agent', agent).expect(200);
    await on(desktop);
    await on(PHONE);
    const mail = await mailbox.mailTo(account.email, 'New login');
    expect(mail.text).toContain('Safari on iPhone');
    expect(mail.text).not.toContain('127.0.0.1');
    await on(PHONE);
    await on(desktop);
    await world.node.container.mailer.idle();
    expect(mailsTo(account.email).filter(({ subject }) => subject.startsWith('New login'))).toHaveLength(1);
  });
});

describe('the log', () => {
  test('after all of this, has no link, no address of a mail and not the mail server’s password', () => {
    const lines = world.logText() + strict.logText();
    expect(lines).toContain('mail sent');
    const secrets = mailbox.mails.flatMap(({ token, to }) => [token, to]).filter((text) => text !== '');
    expect(secrets.length).toBeGreaterThan(30);
    for (const secret of [...secrets, SMTP_PASSWORD]) expect(lines.includes(secret) ? secret : '').toBe('');
  });

  test('in development without SMTP, is the mailbox', async () => {
    const local = await startWorld();
    try {
      const account = newAccount();
      await post('signup', account, { at: local }).expect(201);
      await local.node.container.mailer.idle();
      const line = local.logs().find(({ component, to }) => component === 'mail' && to === account.email);
      const token = /#token=([\w-]{43})/.exec(String(line?.text))?.[1];
      await post('verify-email', { token }, { at: local }).expect(204);
    } finally {
      await local.stop();
    }
  });

  test('in production without SMTP, warns at the start and has no mail', async () => {
    // In production hashing waits for everything else on the machine, so the account is made before.
    const dataDir = mkdtempSync(join(tmpdir(), 'parley-mail-'));
    const development = await startWorld({ dataDir });
    const account = await development.signUp();
    await development.stop();
    const production = await startWorld({
      dataDir,
      env: { NODE_ENV: 'production', JWT_SECRET: 'kJ8s0aQm3Zx7Lw2Vb9Nf4Td6Yh1Rg5Pc', BCRYPT_COST: '10' },
    });
    try {
      await post('forgot-password', { email: account.email }, { at: production }).expect(202, '');
      await production.node.container.mailer.idle();
      const lines = production.logs();
      expect(lines.filter(({ level, message }) => level === 'warn' && message.startsWith('SMTP_URL'))).toHaveLength(1);
      expect(production.logText()).not.toContain('#token=');
      expect(production.logText()).not.toContain(account.email);
    } finally {
      await production.stop();
      rmSync(dataDir, { recursive: true, force: true });
    }
  });
});
