import { describe, expect, test } from '@jest/globals';
import type { IncomingHttpHeaders } from 'node:http';
import { createOrigins, type OriginRequest } from '../../src/middleware/origins.ts';

const request = (headers: IncomingHttpHeaders, encrypted = false): OriginRequest =>
  ({ headers, socket: { encrypted } }) as unknown as OriginRequest;
const create = (corsOrigins: readonly string[] = [], trustProxyHops = 0) =>
  createOrigins({ corsOrigins, trustProxyHops, publicUrl: null });

const listed = create([
  'https://App.Example.com',
  'http://localhost:5173',
  'capacitor://localhost',
  'https://bücher.example:443',
]);
const here = request({ host: 'chat.example.com:3000' });

describe('allowed origins', () => {
  test.each([
    ['https://app.example.com', 'listed, with capitals'],
    ['http://localhost:5173', 'listed, with a port'],
    ['capacitor://localhost', 'listed, of an app'],
    ['https://xn--bcher-kva.example', 'listed in another spelling'],
    ['http://chat.example.com:3000', 'the server itself'],
  ])('%s (%s) is allowed', (origin) => {
    expect(listed.isAllowedOrigin(origin, here)).toBe(true);
  });

  test('no origin at all is not', () => {
    expect(listed.isAllowedOrigin(undefined, here)).toBe(false);
  });

  test.each([
    ['', 'empty'],
    ['null', 'opaque'],
    ['https://evil.example', 'foreign'],
    ['https://app.example.com.evil.example', 'ours as a prefix'],
    ['https://evilapp.example.com', 'ours as a suffix'],
    ['https://evil.app.example.com', 'a subdomain'],
    ['http://app.example.com', 'another scheme'],
    ['https://app.example.com:444', 'another port'],
    ['https://app.example.com:443', 'the default port written out'],
    ['https://APP.example.com', 'capitals'],
    ['https://app.example.com/', 'with a path'],
    ['https://app.example.com@evil.example', 'a user name'],
    ['https://app.example.com%00.evil.example', 'NUL'],
    ['https://app.example.com, https://evil.example', 'two'],
    ['https://app_example.com', 'the dot for any character'],
    ['http://localhost', 'without the port'],
    ['capacitor://localhost.evil.example', 'of an app, as a prefix'],
    ['http://chat.example.com', 'the server’s host on another port'],
    ['https://chat.example.com:3000', 'the server’s host by another scheme'],
  ])('%s (%s) is not', (origin) => {
    expect(listed.isAllowedOrigin(origin, here)).toBe(false);
  });

  test('what proxies say, without TRUST_PROXY, counts for nothing', () => {
    const req = request({ host: 'internal:3000', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' });
    expect(create().isAllowedOrigin('https://evil.example', req)).toBe(false);
    expect(create().isAllowedOrigin('http://internal:3000', req)).toBe(true);
    expect(create().isSecure(req)).toBe(false);
  });

  test('behind a proxy, the server’s own origin is the one that it forwards', () => {
    const req = request({
      host: 'internal:3000',
      'x-forwarded-host': 'chat.example.com',
      'x-forwarded-proto': 'https',
    });
    const origins = create([], 1);
    expect(origins.isAllowedOrigin('https://chat.example.com', req)).toBe(true);
    expect(origins.isAllowedOrigin('http://internal:3000', req)).toBe(false);
    expect(origins.isSecure(req)).toBe(true);
    expect(
      origins.isAllowedOrigin('https://internal', request({ host: 'internal', 'x-forwarded-proto': 'https' })),
    ).toBe(true);
  });

  test.each(['', 'a b', '/', 'evil.example/x', '@'])(
    'a host of %j makes no origin that a browser could have',
    (host) => {
      expect(create().isAllowedOrigin(`http://${host}`, request({ host }))).toBe(false);
    },
  );

  test('TLS on the socket itself, without a proxy, is https', () => {
    expect(create().isSecure(request({ host: 'a' }, true))).toBe(true);
    expect(create().isAllowedOrigin('https://a', request({ host: 'a' }, true))).toBe(true);
  });
});

test('PUBLIC_URL with https makes cookies Secure on a plain socket, and no origin by another scheme the server’s own', () => {
  const at = (publicUrl: string) => createOrigins({ corsOrigins: [], trustProxyHops: 0, publicUrl });
  const plain = request({ host: 'chat.example.com' });
  expect(at('https://chat.example.com').isSecure(plain)).toBe(true);
  expect(at('http://chat.example.com').isSecure(plain)).toBe(false);
  expect(at('https://chat.example.com').isAllowedOrigin('http://chat.example.com', plain)).toBe(true);
});

describe('own requests', () => {
  const own = 'http://chat.example.com:3000';
  const host = 'chat.example.com:3000';
  test.each([
    [{ origin: own }, true],
    [{ origin: 'https://app.example.com', 'sec-fetch-site': 'cross-site' }, true],
    [{ origin: 'https://evil.example' }, false],
    [{ origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' }, false],
    [{ origin: 'null', 'sec-fetch-site': 'none' }, false],
    [{ 'sec-fetch-site': 'same-origin' }, true],
    [{ 'sec-fetch-site': 'none' }, true],
    [{ 'sec-fetch-site': 'same-site' }, false],
    [{ 'sec-fetch-site': 'cross-site' }, false],
    [{ 'sec-fetch-site': 'nonsense' }, false],
    [{}, null],
  ])('headers %j mean %j', (headers, expected) => {
    expect(listed.isOwnRequest(request({ host, ...headers }))).toBe(expected);
  });
});
