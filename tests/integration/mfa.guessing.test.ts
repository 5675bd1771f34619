import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import request from 'supertest';
import { createParts } from '../../src/services/auth/parts.ts';
import { bearer, logIn, PASSWORD, signUp, startClockNode, type ClockNode } from '../support/accounts.ts';
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
  type From,
  type TotpUser,
} from '../support/secondFactor.ts';
import { waitFor } from '../support/waitFor.ts';

const MINUTE_MS = 60_000;
const NEW_PASSWORD = 'Another-Horse-8';

const nodes: ClockNode[] = [];
let mailbox: Mailbox | null = null;
const start = async (env: Record<string, string> = {}): Promise<ClockNode> => {
  const node = await startClockNode(env);
  nodes.push(node);
  return node;
};
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop();
  await mailbox?.stop();
  mailbox = null;
});

interface Refusal {
  readonly status: number;
  readonly body: { readonly code?: string; readonly retryAfterMs?: number };
}
const said = ({ status, body }: Refusal): string =>
  body.code === 'TOO_MANY_FAILURES' ? `wait ${String((body.retryAfterMs ?? 0) / 1000)}` : (body.code ?? String(status));
const WRONG = 'INVALID_CREDENTIALS';
const fiveWrong = Array<string>(5).fill(WRONG);
const times = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

await describeOnEachDatabase((database) => {
  let node: ClockNode;
  beforeAll(async () => {
    node = await startClockNode(database.env());
  });
  afterAll(() => node.stop());

  test('a code is good once: shown again with another token it is refused, and so is an older one', async () => {
    const user = await signUpWithTotp(node);
    node.advance(2 * STEP_MS);
    const [older, code] = [codeOf(node, user.secret, -1), codeOf(node, user.secret)];
    const [first, second] = [await mfaTokenOf(node, user), await mfaTokenOf(node, user)];
    expect(said(await secondStep(node, { mfaToken: first, code }))).toBe('200');
    expect(said(await secondStep(node, { mfaToken: second, code }))).toBe(WRONG);
    expect(said(await secondStep(node, { mfaToken: second, code: older }))).toBe(WRONG);
    // The token that was refused a code takes the next one.
    expect(said(await secondStep(node, { mfaToken: second, code: codeOf(node, user.secret, 1) }))).toBe('200');
  });

  test('one code, shown 20 times at once with a token each, is one login', async () => {
    const user = await signUpWithTotp(node);
    node.advance(STEP_MS);
    const code = codeOf(node, user.secret);
    const tokens = await Promise.all(times(20).map(() => mfaTokenOf(node, user)));
    const answers = await Promise.all(tokens.map((mfaToken) => secondStep(node, { mfaToken, code })));
    expect(answers.map(said).toSorted()).toEqual(['200', ...Array<string>(19).fill(WRONG)]);
  });

  test('one token, shown 20 times at once with codes of three steps and recovery codes, is one login', async () => {
    const user = await signUpWithTotp(node);
    node.advance(3 * STEP_MS);
    const mfaToken = await mfaTokenOf(node, user);
    const proofs = [
      ...[-1, 0, 1].map((steps) => ({ code: codeOf(node, user.secret, steps) })),
      ...user.recoveryCodes.slice(0, 7).map((recoveryCode) => ({ recoveryCode })),
    ];
    const answers = await Promise.all([...proofs, ...proofs].map((proof) => secondStep(node, { mfaToken, ...proof })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    // And of the recovery codes at most one is gone for it.
    const left = (await node.node.container.stores.secondFactors.findFactor(user.id))?.recoveryHashes.length;
    expect(left).toBeGreaterThanOrEqual(9);
  });

  test('one recovery code, shown 20 times at once with a token each, is one login, and never good again', async () => {
    const user = await signUpWithTotp(node);
    const [recoveryCode] = user.recoveryCodes;
    const tokens = await Promise.all(times(20).map(() => mfaTokenOf(node, user)));
    const answers = await Promise.all(tokens.map((mfaToken) => secondStep(node, { mfaToken, recoveryCode })));
    expect(answers.map(said).toSorted()).toEqual(['200', ...Array<string>(19).fill(WRONG)]);
    expect(said(await secondStep(node, { mfaToken: await mfaTokenOf(node, user), recoveryCode }))).toBe(WRONG);
    const left = (await node.node.container.stores.secondFactors.findFactor(user.id))?.recoveryHashes;
    expect(left).toHaveLength(9);
  });
});

describe('codes', () => {
  test('are good one step before and after their own, and no further', async () => {
    const node = await start();
    const user = await signUpWithTotp(node);
    const tries: string[] = [];
    for (const steps of [-2, 2, -1, 1]) {
      node.advance(5 * STEP_MS);
      const code = codeOf(node, user.secret, steps);
      tries.push(said(await secondStep(node, { mfaToken: await mfaTokenOf(node, user), code })));
    }
    expect(tries).toEqual([WRONG, WRONG, '200', '200']);
  });
});

describe('the token between the steps', () => {
  const finish = (node: ClockNode, user: TotpUser, mfaToken: string) =>
    secondStep(node, { mfaToken, code: codeOf(node, user.secret) });

  test('is good for five minutes, for one login', async () => {
    const node = await start();
    const user = await signUpWithTotp(node);
    const [first, second] = [await mfaTokenOf(node, user), await mfaTokenOf(node, user)];
    node.advance(5 * MINUTE_MS - 1);
    expect(said(await finish(node, user, first))).toBe('200');
    expect(said(await secondStep(node, { mfaToken: first, code: codeOf(node, user.secret, 1) }))).toBe('TOKEN_INVALID');
    node.advance(1);
    expect(said(await finish(node, user, second))).toBe('TOKEN_INVALID');
  });

  test('is void once the password is another one, and good for nothing else', async () => {
    const node = await start();
    const user = await signUpWithTotp(node);
    const mfaToken = await mfaTokenOf(node, user);
    const authorized = await request(node.url).get('/api/auth/me').set(bearer(mfaToken));
    expect([authorized.status, authorized.body.code]).toEqual([401, 'TOKEN_INVALID']);
    const refreshed = await request(node.url).post('/api/auth/refresh').send({ refreshToken: mfaToken });
    expect(said(refreshed)).toBe('TOKEN_INVALID');
    await request(node.url)
      .post('/api/auth/password')
      .set(bearer(user.accessToken))
      .send({ currentPassword: PASSWORD, newPassword: NEW_PASSWORD })
      .expect(204);
    node.advance(STEP_MS);
    expect(said(await finish(node, user, mfaToken))).toBe('TOKEN_INVALID');
    const mfaTokenNow = await mfaTokenOf(node, { ...user, password: NEW_PASSWORD });
    expect(said(await finish(node, user, mfaTokenNow))).toBe('200');
  });

  test('changed, cut, of another server or made up, is refused like an expired one', async () => {
    const [node, foreign] = [await start(), await start()];
    const user = await signUpWithTotp(node);
    const mfaToken = await mfaTokenOf(node, user);
    const theirs = await mfaTokenOf(foreign, await signUpWithTotp(foreign));
    const middle = `${mfaToken.slice(0, 40)}${mfaToken[40] === 'A' ? 'B' : 'A'}${mfaToken.slice(41)}`;
    for (const token of [
      middle,
      mfaToken.slice(0, 60),
      theirs,
      `${mfaToken}A`,
      'A'.repeat(200),
      '.',
      user.setupToken,
    ]) {
      const { body } = await finish(node, user, token);
      expect([token, body.code, body.detail]).toEqual([
        token,
        'TOKEN_INVALID',
        'The mfaToken is not good, or not any more: begin the login again',
      ]);
    }
    for (const token of ['', 1, null, { $ne: '' }, 'A'.repeat(1025)]) {
      expect(said(await finish(node, user, token as string))).toBe('VALIDATION_FAILED');
    }
  });

  test('of a node is read by any other one with the same key', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'parley-mfa-'));
    const env = { DATA_DIR: dataDir, JWT_SECRET: 'one-key-of-many-nodes-that-is-long-enough' };
    const one = await startClockNode(env);
    const user = await signUpWithTotp(one);
    const mfaToken = await mfaTokenOf(one, user);
    await one.stop();
    const other = await start(env);
    other.advance(STEP_MS);
    expect(said(await finish(other, user, mfaToken))).toBe('200');
    rmSync(dataDir, { recursive: true, force: true });
  });
});

describe('wrong codes', () => {
  const THROTTLED = { LOGIN_THROTTLE: 'true', TRUST_PROXY: '1' };
  let addresses = 0;
  /** Nobody has come from there yet. */
  const newAddress = (): string => `203.0.${String(addresses >> 8)}.${String((addresses++ & 255) + 1)}`;

  const guess = async (node: ClockNode, user: TotpUser, how: From & { code?: string } = {}): Promise<string> => {
    const { from = newAddress(), deviceToken, code = wrongCodeOf(node, user.secret) } = how;
    const mfaToken = await mfaTokenOf(node, user, { from, deviceToken });
    return said(await secondStep(node, { mfaToken, code }, { from, deviceToken }));
  };
  const guesses = async (count: number, work: (index: number) => Promise<string>): Promise<string[]> => {
    const seen: string[] = [];
    for (const index of times(count)) seen.push(await work(index));
    return seen;
  };

  test('five are free, then the wait doubles; neither a new token nor the right password nor an address helps', async () => {
    const node = await start(THROTTLED);
    const user = await signUpWithTotp(node);
    expect(await guesses(7, () => guess(node, user))).toEqual([...fiveWrong, 'wait 1', 'wait 1']);
    for (const seconds of [1, 2, 4, 8]) {
      node.advance(seconds * 1000);
      expect(await guess(node, user)).toBe(WRONG);
      expect(await guess(node, user, { code: codeOf(node, user.secret, 1) })).toBe(`wait ${String(seconds * 2)}`);
    }
    node.advance(16_000);
    expect(await guess(node, user, { code: codeOf(node, user.secret, 1) })).toBe('200');
    // Which cleared it.
    expect(await guesses(6, () => guess(node, user))).toEqual([...fiveWrong, 'wait 1']);
  });

  test('guessed 30 at once, get five answers', async () => {
    const node = await start(THROTTLED);
    const user = await signUpWithTotp(node);
    const tokens = await Promise.all(times(30).map(() => mfaTokenOf(node, user, { from: newAddress() })));
    const code = wrongCodeOf(node, user.secret);
    const answers = await Promise.all(
      tokens.map((mfaToken) => secondStep(node, { mfaToken, code }, { from: newAddress() })),
    );
    const statuses = answers.map(({ status }) => status);
    expect([
      statuses.filter((status) => status === 401).length,
      statuses.filter((status) => status === 429).length,
    ]).toEqual([5, 25]);
  });

  test('of recovery codes count with them, codes that were used do not, and all are on record', async () => {
    const node = await start(THROTTLED);
    const user = await signUpWithTotp(node);
    const spent = codeOf(node, user.secret);
    expect(await guesses(8, () => guess(node, user, { code: spent }))).toEqual(Array<string>(8).fill(WRONG));
    const from = newAddress();
    const recoveryCode = 'aaaaaa-bbbbbb-cccccc-dddddd';
    const seen = await guesses(6, async () => {
      const mfaToken = await mfaTokenOf(node, user, { from: newAddress() });
      return said(await secondStep(node, { mfaToken, recoveryCode }, { from: newAddress() }));
    });
    expect(seen).toEqual([...fiveWrong, 'wait 1']);
    expect(await guess(node, user, { from })).toBe('wait 1');
    const { audit } = node.node.container;
    await audit.flush();
    const { items } = await audit.listEvents({ ownerId: user.id, actions: ['login.failed'], limit: 100 });
    const reasons = items.map(({ details }) => `${details?.method ?? ''} ${details?.reason ?? ''}`).toReversed();
    expect(reasons).toEqual([
      ...Array<string>(8).fill('password+totp code used before'),
      ...Array<string>(5).fill('password+recovery-code wrong code'),
      'password+recovery-code too many failures',
      'password+totp too many failures',
    ]);
  });

  test('of many accounts from one address, 20 in 15 minutes', async () => {
    const node = await start(THROTTLED);
    const users: TotpUser[] = [];
    for (const _ of times(5)) users.push(await signUpWithTotp(node));
    const from = newAddress();
    const seen = await guesses(20, async (index) => {
      const user = users[index % 5]!;
      const mfaToken = await mfaTokenOf(node, user, { from: newAddress() });
      return said(await secondStep(node, { mfaToken, code: wrongCodeOf(node, user.secret) }, { from }));
    });
    expect(seen).toEqual(Array<string>(20).fill(WRONG));
    const user = await signUpWithTotp(node);
    const mfaToken = await mfaTokenOf(node, user, { from: newAddress() });
    expect(said(await secondStep(node, { mfaToken, code: wrongCodeOf(node, user.secret) }, { from }))).toBe('wait 900');
  });

  test('of somebody who knows the password do not keep the owner out on a known device, who is told of them', async () => {
    mailbox = await startMailbox();
    const node = await start({
      ...THROTTLED,
      SMTP_URL: mailbox.url,
      MAIL_FROM: 'chat@example.com',
      PUBLIC_URL: 'https://chat.example.com',
    });
    const user = await signUpWithTotp(node);
    node.advance(STEP_MS);
    const mfaToken = await mfaTokenOf(node, user);
    const known = await secondStep(node, { mfaToken, code: codeOf(node, user.secret) }).expect(200);
    const { deviceToken } = known.body;
    for (let wait = 1; wait <= 1024; wait *= 2) {
      await guesses(wait === 1 ? 6 : 1, () => guess(node, user));
      node.advance(wait * 1000);
    }
    expect(await guess(node, user)).toBe(WRONG);
    expect(await guess(node, user, { code: codeOf(node, user.secret) })).toBe('wait 900');
    const from = newAddress();
    expect(await guess(node, user, { code: codeOf(node, user.secret), from, deviceToken })).toBe('200');
    // A known device has a count of its own, and it is one only for its user.
    expect(await guesses(6, () => guess(node, user, { from, deviceToken }))).toEqual([...fiveWrong, 'wait 1']);
    const other = await signUpWithTotp(node);
    await guesses(5, () => guess(node, other));
    expect(await guess(node, other, { deviceToken })).toBe('wait 1');
    await mailbox.mailTo(user.email, 'Login stopped');
    await node.node.container.mailer.idle();
    expect(
      mailbox.mails.filter(({ to, subject }) => to === user.email && subject.startsWith('Login stopped')),
    ).toHaveLength(1);
  });

  test('of who is signed in and wants it off count, whatever right passwords come between', async () => {
    const node = await start(THROTTLED);
    const user = await signUpWithTotp(node);
    const code = wrongCodeOf(node, user.secret);
    const seen = await guesses(7, async () =>
      said(await removeTotp(node, user.accessToken, { password: PASSWORD, code })),
    );
    expect(seen).toEqual([...fiveWrong, 'wait 1', 'wait 1']);
    expect(said(await getTotp(node, user.accessToken))).toBe('200');
  });
});

describe('a change of keys', () => {
  const [OLD, NEW, LATER] = ['old', 'new', 'later'].map((name) => `a-${name}-key-of-the-server-that-is-long-enough`);
  let dataDir: string;
  beforeAll(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'parley-keys-'));
  });
  afterAll(() => rmSync(dataDir, { recursive: true, force: true }));
  const begin = (env: Record<string, string>): Promise<ClockNode> => startClockNode({ DATA_DIR: dataDir, ...env });

  test('brings every secret under the new key at start, so that the next change loses nobody', async () => {
    const before = await begin({ JWT_SECRET: OLD! });
    const users = [await signUpWithTotp(before), await signUpWithTotp(before)];
    const factorOf = (node: ClockNode, { id }: TotpUser) => node.node.container.stores.secondFactors.findFactor(id);
    const factors = [await factorOf(before, users[0]!), await factorOf(before, users[1]!)];
    const oldToken = await mfaTokenOf(before, users[0]!);
    await before.stop();

    const between = await begin({ JWT_SECRET: NEW!, JWT_SECRET_PREVIOUS: OLD! });
    await waitFor(async () => (await factorOf(between, users[1]!))?.keyId !== factors[1]?.keyId);
    await waitFor(async () => (await factorOf(between, users[0]!))?.keyId !== factors[0]?.keyId);
    between.advance(STEP_MS);
    const code = codeOf(between, users[0]!.secret);
    expect(said(await secondStep(between, { mfaToken: oldToken, code }))).toBe('200');
    await between.stop();

    const after = await begin({ JWT_SECRET: LATER!, JWT_SECRET_PREVIOUS: NEW! });
    after.advance(3 * STEP_MS);
    for (const user of users) {
      const mfaToken = await mfaTokenOf(after, user);
      expect(said(await secondStep(after, { mfaToken, code: codeOf(after, user.secret) }))).toBe('200');
    }
    await after.stop();
  });

  test('that lost the old key leaves the recovery codes, and lets nobody in without one', async () => {
    const before = await begin({ JWT_SECRET: OLD! });
    const user = await signUpWithTotp(before);
    await before.stop();
    const after = await begin({ JWT_SECRET: LATER! });
    after.advance(STEP_MS);
    const mfaToken = await mfaTokenOf(after, user);
    expect(said(await secondStep(after, { mfaToken, code: codeOf(after, user.secret) }))).toBe(WRONG);
    const [recoveryCode, another] = user.recoveryCodes;
    const { body } = await secondStep(after, { mfaToken, recoveryCode }).expect(200);
    await removeTotp(after, body.accessToken, { password: PASSWORD, recoveryCode: another }).expect(204);
    await firstStep(after, user).expect(200);
    await after.stop();
  });
});

test('an account without a second factor logs in by one step, and a second one is of no use to it', async () => {
  const node = await start();
  const [user, other] = [await signUp(node.url), await signUpWithTotp(node)];
  await logIn(node.url, user);
  const mfaToken = await mfaTokenOf(node, other);
  expect(said(await removeTotp(node, user.accessToken, { password: PASSWORD, code: '123456' }))).toBe('204');
  node.advance(STEP_MS);
  expect((await secondStep(node, { mfaToken, code: codeOf(node, other.secret) })).body.user.id).toBe(other.id);
});

test('a login whose password was checked before the second factor was switched on ends at once', async () => {
  const node = await start();
  const user = await signUp(node.url);
  const { stores, clock } = node.node.container;
  const { completeLogin } = createParts(node.node.container);
  const before = await stores.users.findUser(user.id);
  const offer = await offerFor(node, user.accessToken);
  const code = codeOf(node, offer.secret);
  await confirmTotp(node, user.accessToken, { setupToken: offer.setupToken, code, password: PASSWORD }).expect(200);
  const proof = { method: 'password', hasSecondFactor: false, isStillGood: () => true };
  const login = completeLogin(before!, proof, { ip: '203.0.113.7', device: '' });
  await expect(login).rejects.toMatchObject({ code: 'INVALID_CREDENTIALS' });
  const page = { after: null, limit: 9 };
  expect(await stores.logins.listLogins(user.id, page, new Date(clock.now()))).toHaveLength(1);
});
