import { describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { problemsOf } from '../support/configProblems.ts';

type Env = Readonly<Record<string, string>>;

const KEY = randomBytes(48).toString('base64');
const OTHER_KEY = randomBytes(48).toString('base64');
/** Starts in production. */
const GOOD: Env = {
  NODE_ENV: 'production',
  BCRYPT_COST: '12',
  JWT_SECRET: KEY,
  OPENROUTER_API_KEY: `sk-or-v1-${randomBytes(32).toString('hex')}`,
  PUBLIC_URL: 'https://chat.company.test',
  MAIL_FROM: 'no-reply@company.test',
};

/** Each is refused with one line, which begins so; the value in it is nowhere in what is told. */
const BAD: readonly (readonly [why: string, env: Env, problem: string])[] = [
  ['short', { JWT_SECRET: 'k3JfQ0t9y2mXw8RzV5nB7cL1dH6gS4p' }, 'JWT_SECRET must have at least 32 bytes'],
  ['an example', { JWT_SECRET: 'your-256-bit-secret-goes-in-here-now' }, 'JWT_SECRET must have at least 32 bytes'],
  ['changeme', { JWT_SECRET: 'changeme-k3JfQ0t9y2mXw8RzV5nB7cL1' }, 'JWT_SECRET must have at least 32 bytes'],
  ['one character', { JWT_SECRET: 'a'.repeat(64) }, 'JWT_SECRET must not repeat itself'],
  ['a repeated block', { JWT_SECRET: 'k3JfQ0t9'.repeat(5) }, 'JWT_SECRET must not repeat itself'],
  ['few characters', { JWT_SECRET: 'ab12ba21abb112aab221ab12bb1a2ba1a2b1' }, 'JWT_SECRET must not repeat itself'],
  ['a row', { JWT_SECRET: 'abcdefghijklmnopqrstuvwxyz0987654321' }, 'JWT_SECRET must have at least 32 bytes'],
  ['a keyboard', { JWT_SECRET: 'qwertyuiopasdfghjklzxcvbnm9081726354' }, 'JWT_SECRET must have at least 32 bytes'],
  ['a template', { JWT_SECRET: '<put-48-random-bytes-here-in-base64>' }, 'JWT_SECRET must have at least 32 bytes'],
  ['an old short one', { JWT_SECRET_PREVIOUS: 'tooShort9' }, 'JWT_SECRET_PREVIOUS must have at least 32 bytes'],
  ['the same as before', { JWT_SECRET_PREVIOUS: KEY }, 'JWT_SECRET and JWT_SECRET_PREVIOUS must differ'],
  ['a short pepper', { PASSWORD_PEPPER: 'pepper-and-salt' }, 'PASSWORD_PEPPER must have at least 32 bytes'],
  ['the JWT secret as pepper', { PASSWORD_PEPPER: KEY }, 'JWT_SECRET and PASSWORD_PEPPER must differ'],
  [
    'the admin’s name',
    { ADMIN_USERNAME: 'rootuser', ADMIN_PASSWORD: 'RootUser2026ok' },
    'ADMIN_PASSWORD must not be an example',
  ],
  ['an example admin', { ADMIN_PASSWORD: 'Password-12-34' }, 'ADMIN_PASSWORD must not be an example'],
  [
    'a database’s example',
    { MONGODB_URI: 'mongodb://parley:changeme-please@db/parley' },
    'the password in MONGODB_URI must not be an example',
  ],
  [
    'a database’s short one',
    { MONGODB_URI: 'mongodb://parley:tiger@db/parley' },
    'the password in MONGODB_URI must have at least 8 characters',
  ],
  [
    'a template of a database',
    { MONGODB_URI: 'mongodb+srv://u:%3Cdb_passphrase%3E@c.mongodb.net/x' },
    'the password in MONGODB_URI must not be an example',
  ],
  [
    'a mail server’s short one',
    { SMTP_URL: 'smtps://parley:mail77@smtp.company.test' },
    'the password in SMTP_URL must have at least 8 characters',
  ],
  [
    'a template of a model key',
    { OPENROUTER_API_KEY: 'sk-or-v1-xxxxxxxxxxxxxxxx' },
    'OPENROUTER_API_KEY must not be an example',
  ],
  ['a model key of a manual', { OPENROUTER_API_KEY: 'your_api_key_here' }, 'OPENROUTER_API_KEY must not be an example'],
  ['a cheap hash', { BCRYPT_COST: '8' }, 'BCRYPT_COST must be at least 10'],
];

describe('secrets in production', () => {
  test('good ones are taken, of every kind', () => {
    const all = {
      ...GOOD,
      JWT_SECRET: randomBytes(32).toString('hex'),
      JWT_SECRET_PREVIOUS: OTHER_KEY,
      PASSWORD_PEPPER: KEY,
      ADMIN_PASSWORD: 'Three-Lamps-On-7',
      MONGODB_URI: `mongodb://parley:${randomBytes(12).toString('hex')}@db.company.test/parley`,
      SMTP_URL: `smtps://parley:${encodeURIComponent(`${randomBytes(9).toString('base64')}@/`)}@smtp.company.test`,
    };
    expect(problemsOf(all)).toEqual([]);
    for (const uri of ['mongodb://db/parley', 'mongodb://a,b,c/parley?replicaSet=r', 'mongodb://user@db/parley']) {
      expect(problemsOf({ ...GOOD, MONGODB_URI: uri })).toEqual([]);
    }
    expect(
      problemsOf({ ...GOOD, OPENROUTER_API_KEY: 'ollama', OPENROUTER_BASE_URL: 'http://10.0.0.5:11434/v1' }),
    ).toEqual([]);
  });

  test('a thousand secrets made as the message says are all taken', () => {
    for (let count = 0; count < 1000; count += 1) {
      const [JWT_SECRET = '', PASSWORD_PEPPER = ''] = [48, 32].map((bytes) => randomBytes(bytes).toString('base64'));
      expect(problemsOf({ ...GOOD, JWT_SECRET, PASSWORD_PEPPER })).toEqual([]);
    }
  });

  test.each(BAD)('%s is refused with one line that does not hold it', (_why, env, problem) => {
    const problems = problemsOf({ ...GOOD, ...env });
    expect(problems).toEqual([expect.stringMatching(new RegExp(`^${problem.replace('.', '\\.')}`))]);
    for (const [name, value] of Object.entries(env)) {
      if (name !== 'BCRYPT_COST' && name !== 'ADMIN_USERNAME') expect(problems.join()).not.toContain(value);
    }
  });

  test('all of them together are told in one message', () => {
    const worst = Object.assign({}, ...BAD.map(([, env]) => env)) as Env;
    const problems = problemsOf({ ...GOOD, ...worst, JWT_SECRET: 'x', JWT_SECRET_PREVIOUS: 'y', PASSWORD_PEPPER: 'z' });
    const named = [
      'JWT_SECRET',
      'JWT_SECRET_PREVIOUS',
      'PASSWORD_PEPPER',
      'ADMIN_PASSWORD',
      'OPENROUTER_API_KEY',
      'BCRYPT_COST',
    ];
    for (const name of [...named, 'the password in MONGODB_URI', 'the password in SMTP_URL']) {
      expect(problems.filter((line) => line.startsWith(`${name} `)).length).toBeGreaterThanOrEqual(1);
    }
  });

  test('a laptop may have them all', () => {
    for (const [, env] of BAD) expect(problemsOf({ ...GOOD, ...env, NODE_ENV: 'development' })).toEqual([]);
  });
});
