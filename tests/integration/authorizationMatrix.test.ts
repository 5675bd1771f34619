import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import express, { Router } from 'express';
import type { Socket } from 'socket.io-client';
import { createApp } from '../../src/app.ts';
import { addRoute, assertPolicies, mount, routesOf, type DeclaredRoute } from '../../src/middleware/routeTable.ts';
import { OPERATIONS } from '../../src/schemas/openapi.ts';
import type { Access } from '../../src/services/auth/access.ts';
import { createGuard, type DoorEvents } from '../../src/sockets/ack.ts';
import { createDoorEvents } from '../../src/sockets/index.ts';
import {
  COLUMNS,
  connectAs,
  createCasting,
  createTable,
  expectedOf,
  type Cast,
  type Column,
  type Expected,
  type Things,
} from '../support/matrix.ts';
import { connectRaw, refusedRaw, type RawClient } from '../support/rawSocket.ts';
import { startWorld, type World } from '../support/world.ts';

/** What an address with an id names, and what a foreign one is answered with. A new kind of address must say it here. */
const IDS: readonly (readonly [pattern: RegExp, id: (things: Things) => string, foreign: string | null])[] = [
  [/^\/api\/chat\/sessions\/:id/, ({ chatId }) => chatId, 'CHAT_NOT_FOUND'],
  [/^\/api\/chat\/messages\/:id$/, ({ questionId }) => questionId, 'MESSAGE_NOT_FOUND'],
  [/^\/api\/chat\/messages\/:id\//, ({ replyId }) => replyId, 'MESSAGE_NOT_FOUND'],
  [/^\/api\/auth\/sessions\/:id/, ({ loginId }) => loginId, 'LOGIN_NOT_FOUND'],
  // The name of a provider: nobody's, and none is configured here.
  [/^\/api\/auth\/oidc\/:provider/, () => '', null],
  [/^\/api\/auth\/identities\/:id/, ({ identityId }) => identityId, 'IDENTITY_NOT_FOUND'],
  [/^\/api\/keys\/:id/, ({ keyId }) => keyId, 'KEY_NOT_FOUND'],
  // Admins reach the accounts of others: that is what the policy is for.
  [/^\/api\/admin\/users\/:id/, ({ ownerId }) => ownerId, null],
  [/^\/v1\/models\/\*id/, () => 'nobody/nothing', null],
];
/** Input without which a request would fail before anybody looks at its ids. */
const INPUT: Readonly<Record<string, { query?: (things: Things) => string; body?: (things: Things) => object }>> = {
  'POST /api/chat/message': { body: ({ chatId }) => ({ content: 'Hello', chatId, stream: false }) },
  'PATCH /api/chat/messages/:id': { body: () => ({ content: 'Hello', stream: false }) },
  'POST /api/chat/messages/:id/regenerate': { body: () => ({ stream: false }) },
  'POST /api/chat/messages/:id/feedback': { body: () => ({ rating: 'up' }) },
  'PATCH /api/chat/sessions/:id': { body: () => ({ title: 'x' }) },
  'GET /api/chat/history': { query: ({ chatId }) => `?chatId=${chatId}` },
  'DELETE /api/chat/history': { query: ({ chatId }) => `?chatId=${chatId}` },
};
const FOREIGN_INPUT: Readonly<Record<string, string>> = {
  'POST /api/chat/message': 'CHAT_NOT_FOUND',
  'GET /api/chat/history': 'CHAT_NOT_FOUND',
  'DELETE /api/chat/history': 'CHAT_NOT_FOUND',
};
const EVENTS: Readonly<Record<string, (things: Things) => object>> = {
  'chat:send': ({ chatId }) => ({ content: 'Hello', chatId }),
  'chat:resume': ({ replyId }) => ({ messageId: replyId, offset: 0 }),
  'chat:stop': ({ replyId }) => ({ messageId: replyId }),
  'chat:regenerate': ({ replyId }) => ({ messageId: replyId }),
  'chat:edit': ({ questionId }) => ({ messageId: questionId, content: 'Hello' }),
  'chat:history': ({ chatId }) => ({ chatId }),
  'chat:rename': ({ chatId }) => ({ chatId, title: 'x' }),
  'chat:delete': ({ chatId }) => ({ chatId }),
  'chat:batch': () => ({ items: [{ content: 'Hello', clientMessageId: 'a' }] }),
  'chat:sessions': () => ({}),
  'chat:sync': () => ({}),
  'auth:refresh': () => ({ token: 'none' }),
  message: ({ chatId }) => ({ content: 'Hello', chatId }),
  resume: ({ replyId }) => ({ messageId: replyId, offset: 0 }),
  stop: ({ replyId }) => ({ messageId: replyId }),
  refresh: () => ({ token: 'none' }),
  ping: () => ({}),
};
const NO_ID = new Set(['chat:batch', 'chat:sessions', 'chat:sync', 'auth:refresh', 'refresh', 'ping']);
const NOT_FOUND = /_NOT_FOUND$/;

let world: World;
let routes: readonly DeclaredRoute[];
let casting: ReturnType<typeof createCasting>;
const table = createTable();
beforeAll(async () => {
  world = await startWorld({ env: { MAX_CONNECTIONS_PER_USER: '0' } });
  routes = routesOf(createApp(world.node.container));
  casting = createCasting(world);
});
afterAll(async () => {
  table.print();
  await world.stop();
});

interface Seen {
  readonly status: number;
  readonly code: string;
}

const isRefusal = ({ status, code }: Seen): boolean =>
  status === 403 || (status === 401 && code !== 'INVALID_CREDENTIALS') || status >= 500 || status === 405;

/** @param foreign the code for an id of somebody else's; null when the address has none of an owner */
const isAsExpected = (expected: Expected, seen: Seen, foreign: string | null): boolean => {
  if (expected === 'pass') return !isRefusal(seen) && !(foreign !== null && seen.code === foreign);
  if (expected === 'foreign') return seen.status === 404 && seen.code === foreign;
  return seen.code === expected && seen.status === (/^FORBIDDEN$/i.test(expected) ? 403 : 401);
};

/** It asks for a refresh token whoever asks; no API key gets that far. */
const NEEDS_REFRESH_TOKEN = 'POST /api/auth/refresh';
const refreshing = (column: Column): Expected => (column.startsWith('key:') ? 'FORBIDDEN' : 'UNAUTHENTICATED');

/** `/v1` speaks as OpenAI does: whatever is wrong with a credential, it is an invalid key. */
const inWordsOf = (path: string, expected: Expected): Expected => {
  if (!path.startsWith('/v1/') || expected === 'pass' || expected === 'foreign') return expected;
  return expected === 'FORBIDDEN' ? 'forbidden' : 'invalid_api_key';
};

const codeOf = (text: string): string => {
  try {
    const body = JSON.parse(text);
    return String(body.code ?? body.error?.code ?? '');
  } catch {
    return '';
  }
};

const ask = async ({ method, path }: DeclaredRoute, token: string | null, things: Things): Promise<Seen> => {
  const input = INPUT[`${method.toUpperCase()} ${path}`] ?? {};
  const id = IDS.find(([pattern]) => pattern.test(path))?.[1](things) ?? '';
  const url = `${world.url}${path.replace(/:id|\*id/, id)}${input.query?.(things) ?? ''}`;
  const authorization = token === null ? {} : { Authorization: `Bearer ${token}` };
  const json = { 'Content-Type': 'application/json', ...authorization };
  const sent =
    method === 'get' ? { headers: authorization } : { headers: json, body: JSON.stringify(input.body?.(things) ?? {}) };
  const response = await fetch(url, { method: method.toUpperCase(), ...sent });
  return { status: response.status, code: codeOf(await response.text()) };
};

const addRow = async (route: DeclaredRoute, cast: Cast): Promise<void> => {
  const row = `${route.method.toUpperCase().padEnd(6)} ${route.path} [${route.access}]`;
  const key = `${route.method.toUpperCase()} ${route.path}`;
  const foreign = FOREIGN_INPUT[key] ?? IDS.find(([pattern]) => pattern.test(route.path))?.[2] ?? null;
  const isSafe = route.method === 'get';
  // What a request may change is made anew for each; an admin's victim is somebody who is in no other cell.
  const isDangerous = route.access === 'admin' && !isSafe;
  const made = await Promise.all(
    (isSafe ? COLUMNS.slice(0, 1) : COLUMNS).map(async () =>
      casting.things(isDangerous ? (await casting.addUser()).id : cast.owner),
    ),
  );
  for (const [index, column] of COLUMNS.entries()) {
    const seen = await ask(route, cast.tokens[column], made[index] ?? made[0]!);
    const expected =
      key === NEEDS_REFRESH_TOKEN ? refreshing(column) : expectedOf(route.access, column, foreign !== null);
    const isRight = isAsExpected(inWordsOf(route.path, expected), seen, foreign);
    table.note(row, column, { expected, seen: `${String(seen.status)} ${seen.code}`, isRight });
  }
};

describe('routes', () => {
  test('every address, asked by everybody, lets in whom its policy says and nobody else', async () => {
    expect(routes.length).toBeGreaterThan(50);
    const paths = routes.map(({ path }) => path);
    for (const path of ['/v1/chat/completions', '/api/usage', '/api/admin/stats', '/health', '/api/auth/token']) {
      expect(paths).toContain(path);
    }
    const unknown = paths.filter((path) => /[:*]/.test(path) && !IDS.some(([pattern]) => pattern.test(path)));
    expect(unknown).toEqual([]);
    let cast = await casting.cast();
    for (const route of routes) {
      await addRow(route, cast);
      if (route.method !== 'get') cast = await casting.cast();
    }
    expect(table.surprises).toEqual([]);
  });

  test('of the policies, exactly these addresses are for everybody', () => {
    const open = routes.filter(({ access }) => access === 'public').map(({ method, path }) => `${method} ${path}`);
    expect(open.filter((line) => !/ (\/api)?\/(docs|openapi\.json)/.test(line)).toSorted()).toEqual(
      [
        'get /api/auth/oidc',
        'get /api/auth/oidc/:provider',
        'get /api/auth/oidc/:provider/callback',
        'get /health',
        'get /health/ready',
        'post /api/auth/forgot-password',
        'post /api/auth/login',
        'post /api/auth/oidc/token',
        'post /api/auth/mfa',
        'post /api/auth/register',
        'post /api/auth/resend-verification',
        'post /api/auth/reset-password',
        'post /api/auth/signup',
        'post /api/auth/token',
        'post /api/auth/verify-email',
      ].toSorted(),
    );
  });
});

test('the documentation, compared with the policies, asks for credentials where they do', () => {
  const documented = OPERATIONS.flatMap(({ path, aliases = [], method, auth }) =>
    [path, ...aliases].map((address) => [`${method} ${address.replaceAll(/\{(\w+)\}/g, ':$1')}`, auth] as const),
  );
  const policies = new Map(routes.map(({ method, path, access }) => [`${method} ${path}`, access]));
  const known = documented.filter(([line]) => policies.has(line));
  expect(known.length).toBeGreaterThan(45);
  const different = known.filter(([line, auth]) => {
    const access = policies.get(line);
    return access !== 'refresh' && (auth === 'none') !== (access === 'public');
  });
  expect(different).toEqual([]);
});

type Client = { ask(event: string, payload: object): Promise<Seen>; close(): void };
const seenIn = (answer: { error?: Seen } | undefined): Seen => answer?.error ?? { status: 200, code: '' };

const overSocketIo = (socket: Socket): Client => ({
  ask: async (event, payload) => seenIn(await socket.emitWithAck(event, payload)),
  close: () => void socket.close(),
});
const overRaw = (raw: RawClient): Client => ({
  ask: async (event, payload) => seenIn(await raw.ask({ type: event, ...payload })),
  close: () => raw.close(),
});

type Connect = (token: string | null) => Promise<Client | string>;
const connectIo: Connect = async (token) => {
  const socket = await connectAs(world.url, token);
  return typeof socket === 'string' ? socket : overSocketIo(socket);
};
const connectWs: Connect = async (token) => {
  const options = token === null ? {} : { token };
  try {
    return overRaw(await connectRaw(world.url, options));
  } catch {
    return (await refusedRaw(world.url, options)).body.code;
  }
};

const addEventCell = async (
  client: Client | string,
  event: string,
  { row, column, access, owner }: { row: string; column: Column; access: Access; owner: string },
): Promise<void> => {
  const hasId = !NO_ID.has(event);
  const expected = expectedOf(access, column, hasId);
  const payload = EVENTS[event]?.(await casting.things(owner)) ?? {};
  const seen = typeof client === 'string' ? { status: 401, code: client } : await client.ask(event, payload);
  // What is asked to go on with is no credential at all: that it is looked at is a pass.
  const isLookedAt = /refresh$/.test(event) && expected === 'pass' && seen.code === 'TOKEN_INVALID';
  const foreign = NOT_FOUND.test(seen.code) ? seen.code : hasId ? 'CHAT_NOT_FOUND' : null;
  const isRight = isLookedAt || isAsExpected(expected, seen, foreign);
  table.note(row, column, { expected, seen: `${String(seen.status)} ${seen.code}`, isRight });
};

const addEvents = async (door: string, { handlers }: DoorEvents, connect: Connect): Promise<void> => {
  const { tokens, owner } = await casting.cast();
  for (const column of COLUMNS) {
    const client = await connect(tokens[column]);
    for (const [event, { access }] of Object.entries(handlers)) {
      await addEventCell(client, event, { row: `${door} ${event} [${access}]`, column, access, owner });
    }
    if (typeof client !== 'string') client.close();
  }
};

describe('events', () => {
  test('every event of both live doors, sent by everybody, is answered to whom its policy says and nobody else', async () => {
    const doors = createDoorEvents({ ...world.node.container, http: null } as never, () => null);
    expect(
      Object.keys({ ...doors.socketIo.handlers, ...doors.raw.handlers }).filter((event) => !EVENTS[event]),
    ).toEqual([]);
    const before = table.surprises.length;
    const rows = table.size();
    await addEvents('socket.io', doors.socketIo, connectIo);
    await addEvents('websocket', doors.raw, connectWs);
    expect(table.size() - rows).toBeGreaterThanOrEqual(17);
    expect(table.surprises.slice(before)).toEqual([]);
  });
});

describe('without a policy', () => {
  const work = (_req: express.Request, res: express.Response): void => void res.end();

  test('a route, added past the tables or without a word, keeps the node from starting', () => {
    const past = express();
    past.get('/open', work);
    expect(() => assertPolicies(past)).toThrow('the route /open declares no policy');

    const nested = express();
    const router = Router();
    nested.use('/x', router);
    expect(() => assertPolicies(nested)).toThrow('a router was added without mount');

    const deep = express();
    const inner = Router();
    inner.get('/open', work);
    mount(deep, '/x', inner);
    expect(() => assertPolicies(deep)).toThrow('the route /open declares no policy');

    for (const endpoint of [[work], ['everyone', work], [undefined, work], ['read']]) {
      expect(() => addRoute(Router(), '/open', { get: endpoint as never })).toThrow('get /open declares no policy');
    }
  });

  test('an event keeps the node from starting', () => {
    const handlers = { 'chat:open': { run: () => Promise.resolve({}) } } as never;
    const options = { handlers, refresh: '', ping: null, checkLimit: () => Promise.resolve(), method: 'X' };
    expect(() => createGuard({ ...world.node.container, ...options })).toThrow(
      'the event chat:open declares no policy',
    );
  });
});
