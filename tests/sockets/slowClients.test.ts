import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Socket } from 'socket.io-client';
import type { WebSocket } from 'ws';
import { pipeFrames, type SseFrame } from '../../src/lib/sse.ts';
import { countedText } from '../../src/services/llm/simulator/text.ts';
import { ask, nextEvent } from '../support/events.ts';
import { connectRaw, refusedRaw } from '../support/rawSocket.ts';
import { readEvents, textOf, type SseEvent } from '../support/sse.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

/** Half a megabyte of text in many small parts. */
const WORDS = 50_000;
const MODEL = `sim/words:${String(WORDS)}`;
const TEXT = countedText(WORDS);
/** As long as a message may be, in few parts: the kernel may hold 40 MB for a client before anything waits for it here. */
const LONG = Array.from({ length: 50 }, (_, index) => `${String(index)}-`.padEnd(999, 'abcdefgh')).join(' ');

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await startWorld({
    models: [MODEL, 'sim/echo'],
    env: { MESSAGE_MAX_CHARS: '50000', CONTEXT_MAX_TOKENS: '1000000', MAX_OUTPUT_TOKENS: '1000000' },
  });
  user = await world.signUp();
});
afterAll(() => world.stop());

/** The texts of replies as a client holds them that follows several at once. */
const createReader = () => {
  const texts = new Map<string, string>();
  return {
    texts,
    take: ({ messageId, offset, text }: { messageId: string; offset: number; text: string }): void => {
      const held = texts.get(messageId) ?? '';
      if (offset > held.length) throw new Error(`a gap at ${String(held.length)} of ${messageId}`);
      texts.set(messageId, held + text.slice(held.length - offset));
    },
  };
};

const isDropped = (door: string): boolean =>
  world.logs().some((line) => line.message === 'client dropped' && line.door === door && line.reason === 'slow');

/** Sends long messages with long replies, one after the other, until the server has dropped a client at each door. */
const streamUntilDropped = async (sender: Socket, doors: readonly string[]): Promise<string[]> => {
  const messageIds: string[] = [];
  while (!doors.every(isDropped)) {
    const ended = nextEvent(sender, 'chat:end');
    const { messageId } = await ask(sender, 'chat:send', { content: LONG, model: 'sim/echo' });
    messageIds.push(messageId);
    await ended;
  }
  return messageIds;
};

/** The WebSocket inside a Socket.IO client, whose reading can be paused. */
const wireOf = (socket: Socket): WebSocket =>
  (socket.io.engine as unknown as { readonly transport: { readonly ws: WebSocket } }).transport.ws;

const closeOf = async (ws: WebSocket): Promise<{ code: number; reason: string }> => {
  const [code, reason] = await once(ws, 'close');
  return { code, reason: String(reason) };
};

describe('a live client that does not read', () => {
  test('is dropped with a reason at 1 MiB, hurts nobody, and resumes by offset to the exact text', async () => {
    const sender = await user.connect();
    const stranger = await world.signUp();
    const [raw, socket] = [await connectRaw(world.url, { token: user.accessToken }), await user.connect()];
    const [rawReader, socketReader, senderReader] = [createReader(), createReader(), createReader()];
    sender.on('chat:delta', senderReader.take);
    socket.on('chat:delta', socketReader.take);
    wireOf(socket).pause();
    raw.ws.pause();

    const messageIds = await streamUntilDropped(sender, ['websocket', 'socket.io']);
    const sent = await stranger.call('POST', '/api/chat/message', { content: 'still there?', model: 'sim/echo' });
    expect(sent.body.message).toMatchObject({ status: 'complete', content: 'still there?' });
    for (const messageId of messageIds) expect(senderReader.texts.get(messageId) === LONG).toBe(true);

    const disconnected = nextEvent(socket, 'disconnect');
    const closed = [raw.closed, closeOf(wireOf(socket))];
    wireOf(socket).resume();
    raw.ws.resume();
    const slow = { code: 1013, reason: 'slow-client' };
    expect(await Promise.all(closed)).toEqual([slow, slow]);
    // Not 'io server disconnect': a Socket.IO client that loses its transport comes back by itself.
    expect(await disconnected).toBe('transport close');
    raw.frames.filter(({ type }) => type === 'delta').forEach(rawReader.take);

    const [rawAgain, socketAgain] = [await connectRaw(world.url, { token: user.accessToken }), await user.connect()];
    socketAgain.on('chat:delta', socketReader.take);
    for (const messageId of messageIds) {
      const isOfReply = (event: { messageId: string }): boolean => event.messageId === messageId;
      const ended = [rawAgain.next('end', isOfReply), nextEvent(socketAgain, 'chat:end', isOfReply)];
      const heldBy = (reader: typeof rawReader): number => reader.texts.get(messageId)?.length ?? 0;
      await rawAgain.ask({ type: 'resume', messageId, offset: heldBy(rawReader) });
      await ask(socketAgain, 'chat:resume', { messageId, offset: heldBy(socketReader) });
      await Promise.all(ended);
    }
    rawAgain.frames.filter(({ type }) => type === 'delta').forEach(rawReader.take);
    for (const messageId of messageIds) {
      expect([messageId, rawReader.texts.get(messageId) === LONG]).toEqual([messageId, true]);
      expect([messageId, socketReader.texts.get(messageId) === LONG]).toEqual([messageId, true]);
    }
    for (const client of [sender, rawAgain, socketAgain]) client.close();
  });

  test('is not sent faster than it reads when it asks for replies again and again', async () => {
    const { body } = await user.call('POST', '/api/chat/message', { content: 'x', model: MODEL });
    const messageId = String(body.message.id);
    const [raw, socket] = [await connectRaw(world.url, { token: user.accessToken }), await user.connect()];
    const times = 40;
    const ends: number[] = [0, 0];
    const deltas: number[] = [0, 0];
    socket.on('chat:end', () => (ends[0]! += 1));
    socket.on('chat:delta', ({ text }) => (deltas[0]! += text.length));
    wireOf(socket).pause();
    raw.ws.pause();
    for (let count = 0; count < times; count += 1) {
      socket.emit('chat:resume', { messageId, offset: 0 });
      raw.send({ type: 'resume', messageId, offset: 0 });
    }
    // Every one of them was answered, with what follows it: more than all buffers on the way can hold.
    const answered = (event: string): number =>
      world.logs().filter((line) => line.message === 'answered' && line.event === event).length;
    await waitFor(() => answered('resume') >= times && answered('chat:resume') >= times);
    wireOf(socket).resume();
    raw.ws.resume();
    await waitFor(() => {
      ends[1] = raw.frames.filter(({ type }) => type === 'end').length;
      return ends.every((count) => count === times);
    });
    deltas[1] = raw.frames.reduce((sum, frame) => sum + (frame.type === 'delta' ? frame.text.length : 0), 0);
    expect(deltas).toEqual([times * TEXT.length, times * TEXT.length]);
    for (const client of [raw, socket]) client.close();
  });

  test('does not hold up the end of the server', async () => {
    const stopping = await startWorld();
    const someone = await stopping.signUp();
    const raw = await connectRaw(stopping.url, { token: someone.accessToken });
    const socket = await someone.connect();
    raw.ws.pause();
    wireOf(socket).pause();
    await stopping.node.close();
    expect(stopping.logs().filter(({ message }) => message === 'could not close')).toEqual([]);
    wireOf(socket).resume();
    raw.ws.resume();
    expect(await raw.closed).toEqual({ code: 1012, reason: 'SHUTTING_DOWN' });
    await stopping.stop();
  });
});

describe('an event stream whose client does not read', () => {
  test('gets the exact text however late it reads, in pieces that cost little to hold', async () => {
    const sender = await user.connect();
    const ended = nextEvent(sender, 'chat:end');
    const { messageId } = await ask(sender, 'chat:send', { content: 'x', model: MODEL });
    const headers = { Authorization: `Bearer ${user.accessToken}` };
    const response = await fetch(`${world.url}/api/chat/messages/${String(messageId)}/stream`, { headers });
    await ended;
    const events: SseEvent[] = [];
    for await (const event of readEvents(response)) events.push(event);
    expect(textOf(events) === TEXT).toBe(true);
    for (const { data } of events) expect(String(data.text ?? '').length).toBeLessThanOrEqual(64 * 1024);
    sender.close();
  });

  const FRAME: SseFrame = { event: 'delta', data: 'x'.repeat(64 * 1024) };
  async function* endless(onEnd: () => void): AsyncGenerator<SseFrame> {
    try {
      for (;;) yield await Promise.resolve(FRAME);
    } finally {
      onEnd();
    }
  }
  async function* one(onEnd: () => void): AsyncGenerator<SseFrame> {
    yield await Promise.resolve({ event: 'delta', data: 'x'.repeat(32 * 1024 * 1024) });
    onEnd();
  }

  test.each([
    ['in the midst of it', endless],
    ['of its last frame', one],
  ])('is cut when nothing is taken any more %s, and its source ends', async (_name, source) => {
    const onEnd = Promise.withResolvers<string>();
    const cut = Promise.withResolvers<string>();
    const server = createServer((_req, res) => {
      const gone = new AbortController();
      res.once('close', () => gone.abort());
      const frames = source(() => onEnd.resolve('source ended'));
      const onStalled = (): void => cut.resolve('stalled');
      void pipeFrames(res, frames, { signal: gone.signal, heartbeatMs: 10, stallMs: 50, onStalled });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const [response] = (await once(get({ host: '127.0.0.1', port }), 'response')) as [IncomingMessage];
    response.pause();
    expect(await cut.promise).toBe('stalled');
    const broken = once(response, 'error');
    response.resume();
    expect(await broken).toMatchObject([{ code: 'ECONNRESET' }]);
    expect(await onEnd.promise).toBe('source ended');
    server.close();
    await once(server, 'close');
  });
});

test('a user’s sockets and streams are capped over all doors together, and a place that is left can be taken', async () => {
  const capped = await startWorld({ models: ['sim/stall-mid:3', 'sim/echo'], env: { MAX_CONNECTIONS_PER_USER: '3' } });
  const someone = await capped.signUp();
  const token = someone.accessToken;
  const socket = await someone.connect();
  const raw = await connectRaw(capped.url, { token });
  const begun = raw.next('delta');
  const { messageId } = await raw.ask({ type: 'message', content: 'x', model: 'sim/stall-mid:3' });
  await begun;
  const path = `${capped.url}/api/chat/messages/${String(messageId)}/stream`;
  const leaving = new AbortController();
  const headers = { Authorization: `Bearer ${token}` };
  await fetch(path, { headers, signal: leaving.signal });

  const limited = { code: 'RATE_LIMITED', status: 429, retryAfterMs: expect.any(Number) };
  expect(await refusedRaw(capped.url, { token })).toMatchObject({
    status: 429,
    headers: { 'retry-after': '5' },
    body: limited,
  });
  await expect(someone.connect()).rejects.toMatchObject({ data: limited });
  const sent = { content: 'not stored', stream: true, clientMessageId: 'capped' };
  const stream = await someone.call('POST', '/api/chat/message', sent);
  expect(stream).toMatchObject({ status: 429, body: limited });
  expect(await someone.call('GET', `/api/chat/messages/${String(messageId)}/stream`)).toMatchObject({ status: 429 });
  // What is no open connection is not capped, and another user has places of their own.
  const plain = { content: 'x', model: 'sim/echo', clientMessageId: 'capped' };
  expect((await someone.call('POST', '/api/chat/message', plain)).body).toMatchObject({ duplicate: false });
  (await (await capped.signUp()).connect()).close();

  leaving.abort();
  const again = await waitFor(() => connectRaw(capped.url, { token }));
  socket.close();
  const next = await waitFor(() => someone.connect());
  raw.close();
  const last = await waitFor(() => connectRaw(capped.url, { token }));
  for (const client of [again, next, last]) client.close();
  await someone.call('POST', `/api/chat/messages/${String(messageId)}/stop`);
  await capped.stop();
});
