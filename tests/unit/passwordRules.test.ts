import { describe, expect, test } from '@jest/globals';
import { createPasswordRules } from '../../src/services/auth/passwordRules.ts';

const full = createPasswordRules('full');
const length = createPasswordRules('length');
const common = 'is one of the most common passwords';

describe('password rules', () => {
  test.each([
    'Blue-Kettle-42',
    'Aa345678',
    `Aa1${'x'.repeat(125)}`,
    'Ünïcode-Ωmega-7',
    `A1b${'😀'.repeat(125)}`,
    'Ж1щщщщщщ',
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
    ['--------', ['must have an upper-case letter', 'must have a lower-case letter', 'must have a digit']],
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

  test.each(['correct horse battery staple', '73918264', 'wxyzwxyzq'])(
    '%j, judged by length alone, needs no letters of both cases and no digit',
    (password) => {
      expect(length.problemsOf(password)).toEqual([]);
    },
  );

  test('a bad password, checked, names the field with every problem', () => {
    expect(() => full.check('--------', 'newPassword')).toThrow(
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
