import { describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { Writable } from 'node:stream';
import { createLogger, redact } from '../../src/lib/logger.ts';
import { requestContext } from '../../src/lib/requestContext.ts';

const capture = (format: 'json' | 'text') => {
  let text = '';
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString();
      done();
    },
  });
  return { logger: createLogger({ level: 'info', service: 'parley', format, stream }), text: () => text };
};

describe('redact', () => {
  test('secrets go by the name of their field, at any depth, and inside texts', () => {
    const clean = redact({
      password: 'p1',
      nested: [{ accessToken: 't1', Authorization: 'Bearer abc', content: 'hello', promptTokens: 5 }],
      uri: 'mongodb://user:hunter2@db/x',
      note: 'key sk-or-v1-0123456789abcdef and Bearer eyJhbGciOi.eyJzdWIi.c2ln',
    });
    const text = JSON.stringify(clean);
    for (const secret of ['p1', 't1', 'abc', 'hello', 'hunter2', '0123456789abcdef', 'eyJ'])
      expect(text).not.toContain(secret);
    expect(clean).toMatchObject({ nested: [{ promptTokens: 5 }], uri: 'mongodb://***@db/x' });
  });

  test('errors are spelled out with their causes, and long or deep values are bounded', () => {
    const error = new Error('outer', { cause: Object.assign(new Error('inner'), { code: 'E1' }) });
    expect(redact({ err: error })).toMatchObject({
      err: { name: 'Error', message: 'outer', cause: { message: 'inner', code: 'E1' } },
    });
    const loop: Record<string, unknown> = {};
    loop.self = loop;
    expect(JSON.stringify(redact(loop)).length).toBeLessThan(200);
    expect(String(redact('x'.repeat(10_000))).length).toBeLessThan(2100);
  });
});

describe('createLogger', () => {
  test('a JSON line carries service, component, request and fields, and a newline in a message forges no line', () => {
    const { logger, text } = capture('json');
    requestContext.run({ requestId: 'r1' }, () => {
      requestContext.set({ userId: 'u1', chatId: 'c1' });
      logger.child('http').info('first\n{"level":"error"}', { durationMs: 3 });
    });
    const lines = text().trimEnd().split('\n');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      service: 'parley',
      component: 'http',
      level: 'info',
      requestId: 'r1',
      userId: 'u1',
      chatId: 'c1',
      durationMs: 3,
    });
  });

  test('the time of a JSON line is UTC, whatever the zone of the machine', () => {
    const program = `
      import { createLogger } from './src/lib/logger.ts';
      const logger = createLogger({ level: 'info', service: 'parley', format: 'json', stream: process.stdout });
      logger.info('now', { offset: new Date().getTimezoneOffset() });`;
    const before = Date.now();
    const line = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
      env: { TZ: 'Asia/Kolkata' },
      encoding: 'utf8',
    });
    const { timestamp, offset } = JSON.parse(line);
    expect(offset).toBe(-330);
    expect(timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(Date.parse(timestamp)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(timestamp)).toBeLessThanOrEqual(Date.now());
  });

  test('a text line is one line, and lines under the level are not written', () => {
    const { logger, text } = capture('text');
    logger.debug('unseen');
    logger.warn('two\nlines', { a: 1 });
    expect(text()).toMatch(/^\d\d:\d\d:\d\d\.\d{3} warn {2}two\\nlines a=1\n$/);
  });
});
