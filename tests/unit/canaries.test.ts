import { describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { createLogger } from '../../src/lib/logger.ts';
import { formsOf } from '../support/canaries/forms.ts';
import { createSecretWatch, newCanary, secretWatch } from '../support/canaries/watch.ts';

/** Ways in which a secret gets into a line. */
const ENCODINGS: readonly (readonly [name: string, encode: (secret: string) => string])[] = [
  ['as it is', (secret) => `failed for ${secret}!`],
  ['in JSON', (secret) => JSON.stringify({ a: secret })],
  ['in JSON in JSON', (secret) => JSON.stringify({ body: JSON.stringify({ a: secret }) })],
  ['in a URL', (secret) => `/x?a=${encodeURIComponent(secret)}&b`],
  ['in a form', (secret) => new URLSearchParams({ a: secret }).toString()],
  ['in hex', (secret) => Buffer.from(`a${secret}b`).toString('hex')],
  ...['', 'a', 'ab', 'abc'].flatMap((before) =>
    ['', '}', '"}'].flatMap((after) =>
      (['base64', 'base64url'] as const).map(
        (encoding) =>
          [
            `in ${encoding} between «${before}» and «${after}»`,
            (secret: string) => `Basic ${Buffer.from(`${before}${secret}${after}`).toString(encoding)}`,
          ] as const,
      ),
    ),
  ),
];

describe('the search for secrets', () => {
  test.each(ENCODINGS)('finds a secret %s, and no other one', (_name, encode) => {
    const watch = createSecretWatch();
    const secret = newCanary('Pw');
    watch.addSecret('the secret', secret);
    watch.see('the log', encode(newCanary('Pw')));
    expect(watch.leaks()).toEqual([]);
    watch.see('the log', encode(secret));
    expect(watch.leaks()).toEqual([expect.stringMatching(/^the secret in the log: /)]);
  });

  test('tells a leak without repeating it, and counts what it searched', () => {
    const watch = createSecretWatch();
    watch.addSecret('the secret', 'correct horse battery');
    watch.see('the log', 'before correct horse battery after');
    expect(watch.leaks()).toEqual(['the secret in the log: …before <secret> after…']);
    expect(watch.counts).toEqual({ characters: 34, secrets: 1 });
  });

  test('knows credentials by their looks, and opaque ones once a server gave them out, cut or not', () => {
    const watch = createSecretWatch();
    const [given, other] = [0, 1].map(() => randomBytes(32).toString('base64url'));
    watch.addCredential('refreshToken', given ?? '');
    for (const harmless of [`id ${other ?? ''}`, 'mongodb://***@host/db', 'http://127.0.0.1:80/a@b', 'eyJ.not.a.jwt']) {
      watch.see('the log', harmless);
    }
    expect(watch.leaks()).toEqual([]);
    const jwt = `eyJhbGciOiJIUzI1NiJ9.${'a'.repeat(20)}.${'b'.repeat(43)}`;
    watch.see('one', `token ${given?.slice(0, 40) ?? ''}`);
    watch.see('two', `got ${jwt}`);
    watch.see('three', `key parley_sk_${'c'.repeat(40)}`);
    watch.see('four', 'at smtp://parley:hunter2@mail');
    expect(watch.leaks().map((leak) => leak.split(':')[0])).toEqual([
      'refreshToken in one',
      'a JWT in two',
      'an API key in three',
      'credentials in an address in four',
    ]);
  });

  test('short secrets are not looked for: they occur by chance', () => {
    const watch = createSecretWatch();
    watch.addSecret('short', 'abc');
    watch.see('the log', 'abc');
    expect(watch.leaks()).toEqual([]);
    expect(formsOf('abc')).toContain('616263');
  });
});

describe('the taps of a test file', () => {
  test.each(['json', 'text'] as const)('see what a logger writes as %s, wherever it goes', (format) => {
    const logger = createLogger({ level: 'info', format, service: 'test', stream: new PassThrough().resume() });
    const before = secretWatch.counts.characters;
    logger.child('part').info('something happened', { where: 'here' });
    expect(secretWatch.counts.characters - before).toBeGreaterThan('something happened'.length);
  });
});
