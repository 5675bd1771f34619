/**
 * A stranger's first hour, from outside: starts the built server, signs up, chats at every door, kills the server in the
 * midst of a reply, reads everything back and leaves. `npm run journey`; on SQLite, and on MongoDB where there is one.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { io, type Socket } from 'socket.io-client';
import { HOW_TO_GET_MONGODB, startMongodb } from '../tests/support/mongodb.ts';
import { BUILT_ENTRY, startServer, type ServerProcess } from '../tests/support/serverProcess.ts';
import { readEvents, textOf, type SseEvent } from '../tests/support/sse.ts';
import { call, PASSWORD, type Answer } from '../tests/support/http.ts';

type Env = Readonly<Record<string, string>>;

const step = (text: string): void => {
  process.stdout.write(`  ✓ ${text}\n`);
};

class Traveller {
  token = '';
  url: string;

  constructor(url: string) {
    this.url = url;
  }

  call(method: string, path: string, json?: unknown): Promise<Answer> {
    return call(`${this.url}${path}`, { method, json, headers: { Authorization: `Bearer ${this.token}` } });
  }

  async *stream(path: string, body?: unknown, headers: Env = {}): AsyncGenerator<SseEvent> {
    const response = await fetch(`${this.url}${path}`, {
      headers: {
        Authorization: `Bearer ${this.token}`,
        'Content-Type': 'application/json',
        Accept: 'text/event-stream',
        ...headers,
      },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    });
    yield* readEvents(response);
  }

  async connect(): Promise<Socket> {
    const socket = io(this.url, {
      transports: ['websocket'],
      auth: { token: this.token },
      forceNew: true,
      reconnection: false,
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', () => resolve());
      socket.once('connect_error', reject);
    });
    return socket;
  }
}

const signUp = async (traveller: Traveller): Promise<void> => {
  const json = { username: 'traveller', email: 'traveller@example.com', password: PASSWORD, session: 'token' };
  const { status, body } = await call(`${traveller.url}/api/auth/signup`, { method: 'POST', json });
  assert.equal(status, 201);
  traveller.token = body.accessToken;
  step('signed up');
};

/** Chats by JSON, SSE and socket in one chat; returns the chat's id. */
const chatAtEveryDoor = async (traveller: Traveller): Promise<string> => {
  const first = await traveller.call('POST', '/api/chat/message', { content: 'Hello by JSON', clientMessageId: 'j-1' });
  assert.equal(first.status, 200);
  const chatId = String(first.body.chat.id);
  step(`JSON: ${String(first.body.message.model)} answered ${String(first.body.message.content.length)} characters`);

  const events: SseEvent[] = [];
  for await (const event of traveller.stream('/api/chat/message', { content: 'Hello by SSE', chatId }))
    events.push(event);
  assert.equal(events.at(-1)?.event, 'end');
  step(`SSE: ${String(events.length)} events`);

  const socket = await traveller.connect();
  let overSocket = '';
  socket.on('chat:delta', ({ offset, text }: { offset: number; text: string }) => {
    assert.equal(offset, overSocket.length);
    overSocket += text;
  });
  const ended = new Promise<{ messageId: string }>((resolve) => socket.once('chat:end', resolve));
  const ack = (await socket.emitWithAck('chat:send', { content: 'Hello by socket', chatId })) as {
    ok: boolean;
    messageId: string;
  };
  assert.equal(ack.ok, true);
  assert.equal((await ended).messageId, ack.messageId);
  socket.close();
  step('socket: acknowledged, streamed, ended');

  const { body } = await traveller.call('GET', `/api/chat/history?chatId=${chatId}`);
  assert.deepEqual(
    body.items.map(({ seq }: { seq: number }) => seq),
    [1, 2, 3, 4, 5, 6],
  );
  assert.deepEqual(body.items[1], first.body.message);
  assert.equal(body.items[3].content, textOf(events));
  assert.equal(body.items[3].id, events[0]?.data.messageId);
  assert.equal(body.items[5].content, overSocket);
  assert.equal(body.items[5].id, ack.messageId);
  step('history: the same texts and ids that every door told');
  return chatId;
};

/** Kills the server in the midst of a reply; returns what the client held then, and the reply's id. */
const dieInMidReply = async (
  traveller: Traveller,
  chatId: string,
  server: ServerProcess,
): Promise<{ held: string; messageId: string }> => {
  const seen: SseEvent[] = [];
  try {
    for await (const event of traveller.stream('/api/chat/message', {
      content: 'Tell me more',
      chatId,
      clientMessageId: 'k-1',
    })) {
      seen.push(event);
      if (textOf(seen).length > 40 && server.child.exitCode === null) server.child.kill('SIGKILL');
    }
  } catch {
    // The stream breaks with the server: that is the point.
  }
  if (server.child.exitCode === null && server.child.signalCode === null) await once(server.child, 'exit');
  step(`killed -9 after ${String(textOf(seen).length)} characters of a reply`);
  return { held: textOf(seen), messageId: String(seen[0]?.data.messageId) };
};

const readBack = async (
  traveller: Traveller,
  chatId: string,
  { held, messageId }: { held: string; messageId: string },
): Promise<void> => {
  const startedAt = performance.now();
  const events: SseEvent[] = [];
  for await (const event of traveller.stream(`/api/chat/messages/${messageId}/stream?offset=${String(held.length)}`))
    events.push(event);
  const closedMs = Math.round(performance.now() - startedAt);
  assert.equal(events.at(-1)?.event, 'failed');
  const { body: message } = await traveller.call('GET', `/api/chat/messages/${messageId}`);
  assert.equal(message.status, 'interrupted');
  const rest = events
    .filter(({ event }) => event === 'delta')
    .map(({ data }) => String(data.text))
    .join('');
  assert.equal(held + rest, message.content, 'what was shown is stored');
  const again = await traveller.call('POST', '/api/chat/message', { content: 'Hello by JSON', clientMessageId: 'j-1' });
  assert.equal(again.body.duplicate, true);
  const { body } = await traveller.call('GET', `/api/chat/history?chatId=${chatId}`);
  assert.equal(body.items.length, 8);
  step(`restarted: the reply is closed, all that was shown is there (closed ${String(closedMs)} ms after the start)`);
  const next = await traveller.call('POST', '/api/chat/message', { content: 'And now?', chatId });
  assert.equal(next.body.message.status, 'complete');
  step('the chat goes on');
};

const leave = async (traveller: Traveller): Promise<void> => {
  assert.equal((await traveller.call('DELETE', '/api/auth/me', { password: PASSWORD })).status, 204);
  assert.equal((await traveller.call('GET', '/api/chat/sessions')).status, 401);
  const login = await call(`${traveller.url}/api/auth/login`, {
    method: 'POST',
    json: { username: 'traveller', password: PASSWORD },
  });
  assert.equal(login.status, 401);
  step('deleted the account: nothing is left to log in to');
};

const travel = async (name: string, env: Env): Promise<void> => {
  process.stdout.write(`On ${name}\n`);
  const dataDir = mkdtempSync(join(tmpdir(), 'parley-journey-'));
  const settings = { ...env, DATA_DIR: dataDir };
  let server = await startServer(BUILT_ENTRY, settings);
  try {
    const traveller = new Traveller(server.url);
    await signUp(traveller);
    const chatId = await chatAtEveryDoor(traveller);
    const cut = await dieInMidReply(traveller, chatId, server);
    server = await startServer(BUILT_ENTRY, settings);
    traveller.url = server.url;
    await readBack(traveller, chatId, cut);
    await leave(traveller);
    assert.equal(await server.end('SIGTERM'), 0);
    step('stopped by SIGTERM with exit code 0');
  } finally {
    await server.end('SIGKILL');
    rmSync(dataDir, { recursive: true, force: true });
  }
};

await travel('SQLite', {});
const mongodb = await startMongodb();
if (mongodb === null) process.stdout.write(`Skipped on MongoDB: ${HOW_TO_GET_MONGODB}\n`);
else {
  try {
    await travel(`MongoDB (${mongodb.kind})`, { MONGODB_URI: mongodb.newDatabase() });
  } finally {
    await mongodb.stop();
  }
}
