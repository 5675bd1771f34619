import { afterAll, describe, expect, test } from '@jest/globals';
import { compareSync } from 'bcryptjs';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { createLifecycle } from '../../src/lib/lifecycle.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { createPasswords } from '../../src/services/auth/index.ts';

const logger = createLogger({ level: 'error', service: 'test', format: 'json', stream: new PassThrough().resume() });
const deadlines = { admission: 50, replies: 50, sockets: 50, http: 50, background: 2000, stores: 50 };
const lifecycle = createLifecycle(logger, deadlines);
const create = (bcryptCost = 4, passwordPepper: string | null = null) =>
  createPasswords({ bcryptCost, passwordPepper }, lifecycle);

afterAll(() => lifecycle.close());

describe('passwords', () => {
  const passwords = create();

  test('a password, hashed, is stored as scheme$hash with the configured cost and a salt of its own', async () => {
    const [first, second] = await Promise.all([passwords.hash('Blue-Kettle-42'), passwords.hash('Blue-Kettle-42')]);
    expect(first).toMatch(/^bcrypt-hmac\$\$2[aby]\$04\$[./A-Za-z0-9]{53}$/);
    expect(second).not.toBe(first);
  });

  test('the right password, verified, matches and needs no new hash; a wrong one does not', async () => {
    const stored = await passwords.hash('Blue-Kettle-42');
    expect(await passwords.verify('Blue-Kettle-42', stored)).toEqual({ matches: true, needsRehash: false });
    expect(await passwords.verify('Blue-Kettle-43', stored)).toEqual({ matches: false, needsRehash: false });
  });

  test('passwords that differ only after 72 bytes, verified, are told apart', async () => {
    const long = `${'A1b'.repeat(30)}x`;
    const emoji = `${'😀'.repeat(30)}x`;
    for (const [password, other] of [
      [long, `${long.slice(0, -1)}y`],
      [emoji, `${emoji.slice(0, -1)}y`],
      [`Ab1\0${'c'.repeat(10)}`, `Ab1\0${'d'.repeat(10)}`],
    ] as const) {
      const stored = await passwords.hash(password);
      expect((await passwords.verify(password, stored)).matches).toBe(true);
      expect((await passwords.verify(other, stored)).matches).toBe(false);
    }
  });

  test.each([
    ['Caf\u00e9-K\u00f6ln-42', 'Cafe\u0301-Ko\u0308ln-42'],
    ['\ufb01nd-Me-42', 'find-Me-42'],
  ])('%j, verified as %j, matches: the same characters in another spelling (NFKC)', async (password, spelling) => {
    expect(password).not.toBe(spelling);
    const stored = await passwords.hash(password);
    expect((await passwords.verify(spelling, stored)).matches).toBe(true);
  });

  test('another cost or a new pepper, at verification, asks for a new hash', async () => {
    const stored = await passwords.hash('Blue-Kettle-42');
    const dearer = create(5);
    const peppered = create(4, 'a pepper that the database does not hold');
    expect(await dearer.verify('Blue-Kettle-42', stored)).toEqual({ matches: true, needsRehash: true });
    expect(await peppered.verify('Blue-Kettle-42', stored)).toEqual({ matches: true, needsRehash: true });
    const rehashed = await peppered.hash('Blue-Kettle-42');
    expect(rehashed).toMatch(/^bcrypt-pepper\$/);
    expect(await peppered.verify('Blue-Kettle-42', rehashed)).toEqual({ matches: true, needsRehash: false });
  });

  test('a hash under a pepper that is gone or another one, verified, never matches', async () => {
    const stored = await create(4, 'the first pepper').hash('Blue-Kettle-42');
    expect((await passwords.verify('Blue-Kettle-42', stored)).matches).toBe(false);
    expect((await create(4, 'the second pepper').verify('Blue-Kettle-42', stored)).matches).toBe(false);
  });

  test('an unknown user, verified, costs the same one task at the same cost and never matches', async () => {
    const counted = create();
    const stored = await counted.hash('Blue-Kettle-42');
    const before = counted.completed();
    await counted.verify('wrong', stored);
    const known = counted.completed() - before;
    expect(await counted.verify('wrong', null)).toEqual({ matches: false, needsRehash: false });
    expect(counted.completed() - before - known).toBe(known);
  });

  test.each(['', '$', 'bcrypt-hmac$', 'bcrypt-hmac$nonsense', 'plain$Blue-Kettle-42', 'Blue-Kettle-42'])(
    'a broken stored hash (%j), verified, does not match and does not throw',
    async (stored) => {
      expect(await passwords.verify('Blue-Kettle-42', stored)).toEqual({ matches: false, needsRehash: false });
    },
  );

  test('what is stored, compared with bcrypt itself, holds no plain bcrypt of the password', async () => {
    const stored = await passwords.hash('Blue-Kettle-42');
    expect(compareSync('Blue-Kettle-42', stored.slice(stored.indexOf('$') + 1))).toBe(false);
  });

  test('hash and verify, asked, are each one task of the worker threads: none is done on the event loop', async () => {
    const own = create();
    const stored = await own.hash('Blue-Kettle-42');
    await own.verify('Blue-Kettle-42', stored);
    expect(own.completed()).toBe(2);
    const source = await readFile(new URL('../../src/services/auth/passwords.ts', import.meta.url), 'utf8');
    expect(source).not.toContain("from 'bcryptjs'");
  });

  test('more work than the queue takes, asked at once, is refused with RATE_LIMITED and a wait, and the rest is done', async () => {
    const busy = create(6);
    const results = await Promise.allSettled(Array.from({ length: 400 }, () => busy.verify('x', null)));
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(400);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 2000 });
  });

  test('while the open lane is full, who is known is served, before those who waited longer', async () => {
    const busy = create(8);
    const done: string[] = [];
    const verify = (lane: 'known' | 'open') => busy.verify('x', null, lane).then(() => done.push(lane));
    const open = Array.from({ length: 32 }, () => verify('open'));
    await Promise.all(Array.from({ length: 3 }, () => verify('known')));
    expect(done.length).toBeLessThan(32);
    await Promise.all(open);
    expect(done).toHaveLength(35);
  });
});

/** The nice value of each thread of this process (proc(5): the 19th field of `stat`, the 17th behind the name). */
const niceValues = (): number[] =>
  readdirSync('/proc/self/task').map((thread) => {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  });

(process.platform === 'linux' ? test : test.skip)(
  'a thread that stands back, once it works, is nicer than the one that serves, which stays as it was',
  async () => {
    const before = Math.min(...niceValues());
    const passwords = createPasswords({ bcryptCost: 4, passwordPepper: null, standsBack: true }, lifecycle);
    await passwords.hash('Blue-Kettle-42', 'open');
    expect(niceValues()).toContain(19);
    await passwords.hash('Blue-Kettle-42', 'known');
    expect(niceValues()).toContain(10);
    expect(Math.min(...niceValues())).toBe(before);
  },
);
