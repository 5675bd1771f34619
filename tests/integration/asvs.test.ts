import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { call, PASSWORD } from '../support/http.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

// Requirements of docs/asvs.json that no other test shows.

let world: World;
let user: TestUser;
beforeAll(async () => {
  world = await startWorld();
  user = await world.signUp();
});
afterAll(() => world.stop());

test('an answer of every kind says what it is, with its charset', async () => {
  const bearer = { Authorization: `Bearer ${user.accessToken}` };
  const send = { method: 'POST', body: '{"content":"Hello"}' };
  const kinds: readonly (readonly [path: string, init: RequestInit, type: string])[] = [
    ['/health', {}, 'application/json'],
    ['/nothing/here', {}, 'application/problem+json'],
    ['/openapi.json', {}, 'application/json'],
    ['/docs', {}, 'text/html'],
    ['/api/auth/me', { headers: bearer }, 'application/json'],
    [
      '/api/chat/message',
      { ...send, headers: { ...bearer, 'Content-Type': 'application/json', Accept: 'text/event-stream' } },
      'text/event-stream',
    ],
    ['/v1/models', { headers: bearer }, 'application/json'],
    ['/v1/models', {}, 'application/json'],
  ];
  const seen = await Promise.all(
    kinds.map(async ([path, init]) => {
      const response = await fetch(`${world.url}${path}`, init);
      await response.text();
      return [path, response.headers.get('Content-Type')];
    }),
  );
  expect(seen).toEqual(kinds.map(([path, _init, type]) => [path, `${type}; charset=utf-8`]));
});

describe('methods that show or tunnel requests', () => {
  test.each(['TRACE', 'TRACK', 'CONNECT', 'PROPFIND'])('%s is refused, and gives nothing back', async (method) => {
    const { hostname, port } = new URL(world.url);
    const socket = connect(Number(port), hostname);
    const target = method === 'CONNECT' ? 'example.com:443' : '/api/auth/me';
    const secret = 'X-Secret: shown-to-nobody';
    socket.end(`${method} ${target} HTTP/1.1\r\nHost: x\r\n${secret}\r\nConnection: close\r\n\r\n`);
    const answer = await text(socket);
    expect(answer).not.toContain('shown-to-nobody');
    expect(answer === '' || /^HTTP\/1\.1 (4\d\d|501) /.test(answer)).toBe(true);
  });
});

describe('a model endpoint that redirects', () => {
  let elsewhere: Server;
  let endpoint: Server;
  const arrived: IncomingMessage[] = [];
  const listen = (server: Server): Promise<string> =>
    new Promise((resolve) =>
      server.listen(0, '127.0.0.1', () =>
        resolve(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}`),
      ),
    );
  afterAll(() => {
    for (const server of [elsewhere, endpoint]) {
      server.closeAllConnections();
      server.close();
    }
  });

  test('is not followed: neither the key nor the message goes elsewhere', async () => {
    elsewhere = createServer((req, res) => {
      arrived.push(req);
      res.end('{}');
    });
    const target = await listen(elsewhere);
    endpoint = createServer((req, res) => res.writeHead(307, { Location: `${target}${req.url ?? ''}` }).end());
    const env = { OPENROUTER_BASE_URL: `${await listen(endpoint)}/v1`, OPENROUTER_MODELS: 'sim/ok' };
    const redirected = await startWorld({ env, upstream: world.upstream });
    const other = await redirected.signUp();
    const answer = await other.call('POST', '/api/chat/message', { content: 'Where does this go?', stream: false });
    expect(answer.status).toBeGreaterThanOrEqual(500);
    await redirected.stop();
    expect(arrived).toEqual([]);
  });
});

test('every address, asked by GET of an admin, changes nothing', async () => {
  const admin = await call(`${world.url}/api/auth/login`, {
    method: 'POST',
    json: { username: 'admin', password: PASSWORD, session: 'token' },
  });
  const headers = { Authorization: `Bearer ${String(admin.body.accessToken)}` };
  const ask = async (path: string) => (await call(`${world.url}${path}`, { headers })).body;
  const sent = await call(`${world.url}/api/chat/message`, {
    method: 'POST',
    headers,
    json: { content: 'Hello', stream: false },
  });
  await call(`${world.url}/api/keys`, { method: 'POST', headers, json: { name: 'x', scopes: ['read'] } });
  const state = async () => {
    const logins = (await ask('/api/auth/sessions')).items.map(({ id }: { id: string }) => id);
    const lists = ['/api/auth/me', '/api/keys', '/api/chat/sessions'];
    return [
      logins,
      ...(await Promise.all([...lists, '/api/admin/users', `/api/chat/history?chatId=${chatId}`].map(ask))),
    ];
  };
  const chatId = String(sent.body.chat.id);
  const ids: Readonly<Record<string, string>> = { sessions: chatId, messages: sent.body.message.id, users: user.id };
  const paths = Object.entries((await ask('/openapi.json')).paths as Record<string, object>);
  const gets = paths.flatMap(([path, item]) =>
    'get' in item ? [path.replace(/(\w+)\/\{\w+\}/g, (_, list: string) => `${list}/${ids[list] ?? 'x'}`)] : [],
  );
  expect(gets.length).toBeGreaterThan(25);
  const before = await state();
  const statuses = await Promise.all(
    gets.map(async (path) => (await fetch(`${world.url}${path}`, { headers, redirect: 'manual' })).status),
  );
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(20);
  expect(await state()).toEqual(before);
});

test('no request and no answer has a field for a hint or a secret question', async () => {
  const names = new Set<string>();
  const collect = (value: unknown): void => {
    if (value === null || typeof value !== 'object') return;
    if ('properties' in value) for (const name of Object.keys(value.properties as object)) names.add(name);
    for (const part of Object.values(value)) collect(part);
  };
  collect((await call(`${world.url}/openapi.json`)).body);
  for (const known of ['password', 'currentPassword', 'newPassword', 'username']) expect(names).toContain(known);
  expect([...names].filter((name) => /hint|reminder|question|answer|maiden|birth/i.test(name))).toEqual([]);
});

test('addresses that could be directories list nothing', async () => {
  for (const path of [
    '/',
    '/src/',
    '/docs/',
    '/docs/decisions/',
    '/data/',
    '/node_modules/',
    '/.git/',
    '/api/',
    '/v1/',
  ]) {
    const response = await fetch(`${world.url}${path}`);
    const text = await response.text();
    expect([path, response.status === 404 || text.includes('<title>Parley')]).toEqual([path, true]);
    expect(text).not.toMatch(/Index of|package\.json|parley\.db|HEAD/);
  }
});

test('a search with signs of patterns in it finds what has these signs, and nothing else', async () => {
  const login = await call(`${world.url}/api/auth/login`, {
    method: 'POST',
    json: { username: 'admin', password: PASSWORD, session: 'token' },
  });
  const headers = { Authorization: `Bearer ${String(login.body.accessToken)}` };
  const found = async (search: string): Promise<number> => {
    const { status, body } = await call(`${world.url}/api/admin/users?q=${encodeURIComponent(search)}`, {
      headers,
    });
    expect(status).toBe(200);
    return body.items.length;
  };
  expect(await found(user.username)).toBe(1);
  for (const pattern of ['.*', '^user', '%', 'user%', '[a-z]+', '(', '\\', '*', "' OR 1=1 --"]) {
    expect(await found(pattern)).toBe(0);
  }
});
