import { gzipSync } from 'node:zlib';
import { io } from 'socket.io-client';
import type { DeclaredRoute } from '../../../src/middleware/routeTable.ts';
import type { CanaryName, Canaries } from './plant.ts';

/** For an ack of an event, on a busy machine. */
const ANSWER_MS = 60_000;

/** An answer as it left the server: what may be searched of it. */
export interface Seen {
  readonly source: string;
  readonly status: number;
  readonly text: string;
}

type Look = (seen: Seen) => void;

/** Every field that any schema has, each with the canary that a client could put there, and some that none has. */
const fieldsOf = (canaries: Canaries): Record<string, unknown> => {
  const of = (name: CanaryName): string => canaries[name];
  return {
    username: of('password'),
    email: `${of('message')}@example.com`,
    password: of('password'),
    currentPassword: of('password'),
    newPassword: { nested: of('password') },
    token: of('mail token'),
    refreshToken: [of('refresh token')],
    deviceToken: of('refresh token'),
    session: of('cookie'),
    content: { text: of('message') },
    title: [of('message')],
    systemPrompt: of('message'),
    messages: [{ role: of('message'), content: of('message') }],
    prompt: of('message'),
    model: of('API key'),
    clientMessageId: of('JWT'),
    chatId: of('database URI'),
    name: { key: of('API key') },
    scopes: [of('API key')],
    items: [{ content: 5, clientMessageId: of('message') }],
    grant_type: of('password'),
    rating: of('message'),
  };
};

interface Variant {
  readonly name: string;
  readonly query?: string;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The ways in which a request is wrong, with canaries wherever it has a place. */
const variantsOf = (canaries: Canaries): readonly Variant[] => {
  const fields = JSON.stringify(fieldsOf(canaries));
  const every = Object.values(canaries).join(' ');
  const json = { 'Content-Type': 'application/json' };
  const query = `?${new URLSearchParams({ ticket: canaries['mail token'], token: canaries.JWT, chatId: every, q: every, cursor: every }).toString()}`;
  return [
    { name: 'wrong fields', body: fields, headers: json },
    { name: 'broken JSON', body: fields.slice(0, -3), headers: json },
    { name: 'canaries before the JSON', body: `${every}${fields}`, headers: json },
    { name: 'a string', body: JSON.stringify(every), headers: json },
    { name: 'another type', body: every, headers: { 'Content-Type': 'text/plain' } },
    {
      name: 'a form',
      body: new URLSearchParams({
        grant_type: 'password',
        username: every,
        password: canaries.password,
        client_secret: canaries['API key'],
      }).toString(),
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    },
    { name: 'broken gzip', body: gzipSync(fields).subarray(0, 40), headers: { ...json, 'Content-Encoding': 'gzip' } },
    { name: 'too large', body: JSON.stringify({ content: every.repeat(2_000) }), headers: json },
    { name: 'a query', query },
    { name: 'a bad token', headers: { Authorization: `Bearer ${canaries.JWT}x` } },
    { name: 'a bad key', headers: { Authorization: `Bearer ${canaries['API key']}x` } },
    { name: 'no scheme', headers: { Authorization: canaries.JWT } },
    { name: 'a bad cookie', headers: { Cookie: canaries.cookie.replace(/=(.*)$/, '=x$1') } },
    { name: 'a foreign origin', headers: { Origin: 'https://evil.example', Cookie: canaries.cookie }, body: '{}' },
  ];
};

/** Asks a route in every wrong way: known to the server by a good token, or by none. */
export const driveRoute = async (
  url: string,
  { method, path }: DeclaredRoute,
  canaries: Canaries,
  look: Look,
): Promise<number> => {
  const address = `${url}${path.replace(/:id|\*id/, '019aa000-0000-7000-8000-000000000000')}`;
  const known = { Authorization: `Bearer ${canaries.JWT}` };
  const asked = variantsOf(canaries).filter(({ body }) => method !== 'get' || body === undefined);
  await Promise.all(
    asked.map(async ({ name, query = '', body, headers }) => {
      const response = await fetch(`${address}${query}`, {
        method: method.toUpperCase(),
        redirect: 'manual',
        headers: { ...(headers?.Origin ? {} : known), ...headers },
        ...(body === undefined ? {} : { body }),
      });
      const heads = [...response.headers].map((pair) => pair.join(': ')).join('\n');
      look({
        source: `${method.toUpperCase()} ${path} with ${name}`,
        status: response.status,
        text: `${heads}\n${await response.text()}`,
      });
    }),
  );
  return asked.length;
};

/** Sends every event of Socket.IO in wrong ways, and connects with wrong tokens. */
export const driveSockets = async (
  url: string,
  events: readonly string[],
  canaries: Canaries,
  look: Look,
): Promise<void> => {
  const refused = [
    { auth: { token: `${canaries.JWT}x` } },
    { auth: { token: canaries['API key'].slice(0, -1) } },
    { auth: { token: { $ne: canaries.JWT } } },
    { query: { token: canaries.JWT, ticket: canaries['mail token'] } },
  ];
  for (const options of refused) {
    const socket = io(url, { transports: ['websocket'], forceNew: true, reconnection: false, ...options });
    const error = await new Promise<Error & { data?: unknown }>((resolve) => socket.once('connect_error', resolve));
    look({ source: 'a refused socket', status: 401, text: `${error.message} ${JSON.stringify(error.data)}` });
    socket.close();
  }
  const socket = io(url, { transports: ['websocket'], forceNew: true, auth: { token: canaries.JWT } });
  await new Promise((resolve) => socket.once('connect', () => resolve(null)));
  const every = Object.values(canaries).join(' ');
  for (const event of [...events, 'no:such:event']) {
    for (const payload of [fieldsOf(canaries), every, [every], { token: canaries.JWT, content: every.repeat(60) }]) {
      const answer: unknown = await socket.timeout(ANSWER_MS).emitWithAck(event, payload);
      look({ source: `the event ${event}`, status: 400, text: JSON.stringify(answer) });
    }
  }
  socket.close();
};
