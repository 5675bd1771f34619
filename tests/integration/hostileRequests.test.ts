import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { connect } from 'node:net';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { problemSchema } from '../../src/schemas/problem.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await startWorld({ models: ['sim/echo'] });
  user = await world.signUp();
});
afterAll(() => world.stop());

interface Hostile {
  readonly name: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly status: number;
  readonly code: string;
}

const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const json = (value: unknown): string => JSON.stringify(value);
const LONG = 'x'.repeat(300 * 1024);

const BODIES: readonly Hostile[] = [
  { name: 'a body that is cut', body: '{"content":"x"', status: 400, code: 'MALFORMED_JSON' },
  { name: 'no JSON at all', body: 'hello', status: 400, code: 'MALFORMED_JSON' },
  { name: 'a byte order mark', body: '\ufeff', status: 400, code: 'MALFORMED_JSON' },
  {
    name: 'invalid UTF-8',
    body: Buffer.from([0x7b, 0x22, 0x63, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d]),
    status: 400,
    code: 'MALFORMED_JSON',
  },
  {
    name: 'overlong UTF-8',
    body: Buffer.concat([Buffer.from('{"content":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]),
    status: 400,
    code: 'MALFORMED_JSON',
  },
  { name: 'UTF-16', body: Buffer.from('{"content":"x"}', 'utf16le'), status: 400, code: 'MALFORMED_JSON' },
  { name: '33 levels of nesting', body: `{"content":${nested(32)}}`, status: 400, code: 'MALFORMED_JSON' },
  { name: '100,000 levels of nesting', body: nested(100_000), status: 400, code: 'MALFORMED_JSON' },
  {
    name: 'brackets in a string, which are no nesting',
    body: json({ content: 5, x: '['.repeat(100) }),
    status: 400,
    code: 'VALIDATION_FAILED',
  },
  {
    name: '__proto__ as a key',
    body: '{"content":"x","__proto__":{"admin":true}}',
    status: 400,
    code: 'MALFORMED_JSON',
  },
  {
    name: 'constructor.prototype as a key',
    body: '{"content":"x","constructor":{"prototype":{"admin":true}}}',
    status: 400,
    code: 'MALFORMED_JSON',
  },
  { name: 'toString as a key', body: '{"content":"x","toString":1}', status: 400, code: 'VALIDATION_FAILED' },
  { name: 'a top-level array', body: '[]', status: 400, code: 'VALIDATION_FAILED' },
  { name: 'a top-level string', body: '"x"', status: 400, code: 'VALIDATION_FAILED' },
  { name: 'null', body: 'null', status: 400, code: 'VALIDATION_FAILED' },
  { name: '1e999 for a text', body: '{"content":1e999}', status: 400, code: 'VALIDATION_FAILED' },
  { name: 'an operator for a text', body: '{"content":{"$gt":""}}', status: 400, code: 'VALIDATION_FAILED' },
  {
    name: 'an operator for an id',
    body: '{"content":"x","chatId":{"$ne":null}}',
    status: 400,
    code: 'VALIDATION_FAILED',
  },
  { name: 'a lone surrogate', body: '{"content":"\\ud800"}', status: 400, code: 'VALIDATION_FAILED' },
  { name: 'a body over the limit', body: json({ content: LONG }), status: 413, code: 'PAYLOAD_TOO_LARGE' },
  {
    name: 'a gzip bomb',
    body: gzipSync(Buffer.alloc(20_000_000, 32)),
    headers: { 'Content-Encoding': 'gzip' },
    status: 413,
    code: 'PAYLOAD_TOO_LARGE',
  },
  {
    name: 'a brotli bomb',
    body: brotliCompressSync(Buffer.alloc(20_000_000, 32)),
    headers: { 'Content-Encoding': 'br' },
    status: 413,
    code: 'PAYLOAD_TOO_LARGE',
  },
  {
    name: 'an unknown encoding',
    body: '{}',
    headers: { 'Content-Encoding': 'zip' },
    status: 415,
    code: 'UNSUPPORTED_MEDIA_TYPE',
  },
  { name: 'broken gzip', body: 'x', headers: { 'Content-Encoding': 'gzip' }, status: 400, code: 'MALFORMED_JSON' },
  {
    name: 'utf-7',
    body: '{"content":"x"}',
    headers: { 'Content-Type': 'application/json; charset=utf-7' },
    status: 415,
    code: 'UNSUPPORTED_MEDIA_TYPE',
  },
  {
    name: 'a form',
    body: 'content=x',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    status: 415,
    code: 'UNSUPPORTED_MEDIA_TYPE',
  },
  {
    name: 'plain text',
    body: '{"content":"x"}',
    headers: { 'Content-Type': 'text/plain' },
    status: 415,
    code: 'UNSUPPORTED_MEDIA_TYPE',
  },
  {
    name: 'no type',
    body: '{"content":"x"}',
    headers: { 'Content-Type': '' },
    status: 415,
    code: 'UNSUPPORTED_MEDIA_TYPE',
  },
  {
    name: 'a long Idempotency-Key',
    body: '{"content":"x"}',
    headers: { 'Idempotency-Key': 'k'.repeat(65) },
    status: 400,
    code: 'VALIDATION_FAILED',
  },
];

const ADDRESSES: readonly Hostile[] = [
  { name: 'an unknown address', method: 'GET', path: '/api/nothing', status: 404, code: 'NOT_FOUND' },
  { name: 'an address outside the API', method: 'GET', path: '/nothing', status: 404, code: 'NOT_FOUND' },
  { name: 'a wrong method', method: 'DELETE', path: '/api/chat/message', status: 405, code: 'METHOD_NOT_ALLOWED' },
  { name: 'an odd method', method: 'PROPFIND', path: '/api/chat/sessions', status: 405, code: 'METHOD_NOT_ALLOWED' },
  {
    name: 'a media type that we do not speak',
    method: 'GET',
    path: '/api/chat/sessions',
    headers: { Accept: 'image/png' },
    status: 406,
    code: 'NOT_ACCEPTABLE',
  },
  { name: 'a broken escape', method: 'GET', path: '/api/chat/sessions/%ZZ', status: 400, code: 'VALIDATION_FAILED' },
  { name: 'an escaped NUL', method: 'GET', path: '/api/chat/sessions/%00', status: 404, code: 'CHAT_NOT_FOUND' },
  { name: 'an id that is none', method: 'GET', path: '/api/chat/sessions/1', status: 404, code: 'CHAT_NOT_FOUND' },
  {
    name: 'a message id that is none',
    method: 'GET',
    path: '/api/chat/messages/..%2f..',
    status: 404,
    code: 'MESSAGE_NOT_FOUND',
  },
  {
    name: 'a stream of nothing',
    method: 'GET',
    path: '/api/chat/messages/x/stream',
    status: 404,
    code: 'MESSAGE_NOT_FOUND',
  },
  {
    name: 'an operator in the query',
    method: 'GET',
    path: '/api/chat/sessions?q[$ne]=1',
    status: 400,
    code: 'VALIDATION_FAILED',
  },
  {
    name: 'a query parameter twice',
    method: 'GET',
    path: '/api/chat/sessions?limit=1&limit=2',
    status: 400,
    code: 'VALIDATION_FAILED',
  },
  {
    name: 'an unknown query parameter',
    method: 'GET',
    path: '/api/chat/sessions?admin=1',
    status: 400,
    code: 'VALIDATION_FAILED',
  },
  { name: 'a limit of 0', method: 'GET', path: '/api/chat/sessions?limit=0', status: 400, code: 'VALIDATION_FAILED' },
  { name: 'a huge limit', method: 'GET', path: '/api/chat/sessions?limit=1e9', status: 400, code: 'VALIDATION_FAILED' },
  {
    name: 'a forged cursor',
    method: 'GET',
    path: '/api/chat/sessions?cursor=AAAA',
    status: 400,
    code: 'CURSOR_INVALID',
  },
  {
    name: 'a cursor of another list',
    method: 'GET',
    path: `/api/chat/sessions?cursor=${Buffer.from('["tree",5]').toString('base64url')}`,
    status: 400,
    code: 'CURSOR_INVALID',
  },
  {
    name: 'a negative offset',
    method: 'GET',
    path: '/api/chat/messages/x/stream?offset=-1',
    status: 400,
    code: 'VALIDATION_FAILED',
  },
  { name: 'history without a chat', method: 'GET', path: '/api/chat/history', status: 400, code: 'VALIDATION_FAILED' },
];

describe('every hostile request is answered 4xx with its code, and changes nothing', () => {
  test.each([...BODIES, ...ADDRESSES].map((item) => [item.name, item] as const))('%s', async (_name, hostile) => {
    const calls = world.upstream.log.length;
    const { body } = hostile;
    const response = await fetch(`${world.url}${hostile.path ?? '/api/chat/message'}`, {
      method: hostile.method ?? 'POST',
      headers: { Authorization: `Bearer ${user.accessToken}`, 'Content-Type': 'application/json', ...hostile.headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? Buffer.from(body) : body }),
    });
    const problem = problemSchema.parse(await response.json());
    expect([response.status, problem.code]).toEqual([hostile.status, hostile.code]);
    expect(response.headers.get('Content-Type')).toMatch('application/problem+json');
    expect(problem).toMatchObject({
      status: hostile.status,
      type: `/docs/errors#${hostile.code}`,
      requestId: response.headers.get('X-Request-Id'),
    });
    if (hostile.status === 405) expect(response.headers.get('Allow')).toMatch(/^[A-Z, ]+$/);
    expect(world.upstream.log.length).toBe(calls);
  });

  test('after all of them no chat was made and no prototype was touched', async () => {
    const { body } = await user.call('GET', '/api/chat/sessions');
    expect(body.items).toEqual([]);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });
});

/** Writes bytes and resolves with all that comes back. */
const exchange = async (bytes: string | Buffer): Promise<string> => {
  const { port } = new URL(world.url);
  const socket = connect(Number(port), '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  socket.on('error', () => undefined);
  socket.write(bytes);
  await once(socket, 'close');
  return answer;
};

describe('raw bytes on the wire', () => {
  test.each([
    [
      'two lengths',
      'POST /api/chat/message HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['garbage', '\x16\x03\x01\x02\x00\x01\x00', 400],
    ['17 KB of one header', `GET /health HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(17_000)}\r\n\r\n`, 431],
    ['no host', 'GET /health HTTP/1.1\r\n\r\n', 400],
  ])('%s', async (_name, bytes, status) => {
    expect(await exchange(Buffer.from(bytes, 'latin1'))).toMatch(new RegExp(`^HTTP/1\\.1 ${String(status)} `));
  });
});

describe('what is odd and harmless', () => {
  test.each([
    ['a body that is no JSON', 'Content-Type: text/plain\r\nContent-Length: 5\r\n', 'hello'],
    ['a body of brackets', 'Content-Type: application/json\r\nContent-Length: 100\r\n', '['.repeat(100)],
    ['a condition that any stored answer would meet', 'If-None-Match: *\r\n', ''],
  ])('a read with %s is answered as without, and so is the next on the connection', async (_name, headers, body) => {
    const authorization = `Host: x\r\nAuthorization: Bearer ${user.accessToken}\r\n`;
    const line = 'GET /api/auth/me HTTP/1.1\r\n';
    const answer = await exchange(
      `${line}${authorization}${headers}\r\n${body}${line}${authorization}Connection: close\r\n\r\n`,
    );
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200']);
    expect(answer.split(user.email).length).toBe(3);
  });

  test('a request that offers another protocol, as Java’s client does, is answered in this one', async () => {
    const offer = 'Connection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n';
    const answer = await exchange(`GET /health HTTP/1.1\r\nHost: x\r\n${offer}\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toContain('{"status":"ok"}');
  });
});

describe('every answer', () => {
  test.each([
    ['/health', 200],
    ['/api/chat/sessions', 401],
    ['/nothing', 404],
  ])('%s carries the security headers', async (path, status) => {
    const response = await fetch(`${world.url}${path}`, { headers: { 'X-Request-Id': 'my-id.1' } });
    expect(response.status).toBe(status);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'x-request-id': 'my-id.1',
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
      'strict-transport-security': expect.stringContaining('max-age=31536000'),
      'cache-control': 'no-store',
      vary: expect.stringContaining('Origin'),
    });
    expect(response.headers.get('x-powered-by')).toBeNull();
  });

  test('a request id that is not safe to print is replaced', async () => {
    const response = await fetch(`${world.url}/health`, { headers: { 'X-Request-Id': 'a b<script>' } });
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('the log has one JSON line per answer and never a password, token or message text', async () => {
    await user.call('POST', '/api/chat/message', { content: 'canary-in-the-message', clientMessageId: 'canary' });
    await user.call('POST', '/api/auth/login', { username: user.username, password: 'canary-Password-1' });
    const text = world.logText();
    for (const secret of [
      'canary-in-the-message',
      'canary-Password-1',
      user.password,
      user.accessToken,
      user.refreshToken,
      world.upstream.apiKey,
    ]) {
      expect(text).not.toContain(secret);
    }
    const lines = world.logs();
    expect(lines.every(({ service, timestamp }) => service === 'parley' && typeof timestamp === 'string')).toBe(true);
    expect(lines.find(({ message, route }) => message === 'answered' && route === '/api/chat/message')).toMatchObject({
      component: 'http',
      requestId: expect.any(String),
      userId: user.id,
      durationMs: expect.any(Number),
    });
    expect(lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
