import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { io, type Socket } from 'socket.io-client';
import { connectRaw } from '../support/rawSocket.ts';
import { call } from '../support/http.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

const MINUTE_MS = 60_000;

let world: World;
/** By how much the node's clock is ahead. */
let aheadMs = 0;
beforeAll(async () => {
  world = await startWorld({ models: ['sim/stall-mid:3'], clock: { now: () => Date.now() + aheadMs } });
});
const sockets: Socket[] = [];
afterAll(async () => {
  for (const socket of sockets) socket.close();
  // Its replies stand still: without their model the node has none to wait for.
  await world.upstream.close();
  await world.stop();
});

const keyOf = async (user: TestUser, scope: 'chat' | 'read', changes = {}): Promise<{ id: string; key: string }> =>
  (await user.call('POST', '/api/keys', { name: 'x', scopes: [scope], ...changes })).body;

const connect = (token: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const options = { transports: ['websocket'], auth: { token }, forceNew: true, reconnection: false };
    const socket = io(world.url, options);
    sockets.push(socket);
    socket.once('connect', () => resolve(socket));
    socket.once('connect_error', reject);
  });
const gone = (socket: Socket): Promise<string> => new Promise((resolve) => socket.once('disconnect', resolve));

describe('a key at the live doors', () => {
  test('with «chat» sends and follows over Socket.IO and the raw WebSocket', async () => {
    const user = await world.signUp();
    const { key } = await keyOf(user, 'chat');
    const socket = await connect(key);
    const ack = await socket.emitWithAck('chat:send', { content: 'Hello' });
    expect(ack).toMatchObject({ ok: true, status: expect.any(String) });
    expect((await user.call('GET', `/api/chat/messages/${String(ack.userMessageId)}`)).status).toBe(200);
    const raw = await connectRaw(world.url, { token: key });
    expect(await raw.ask({ type: 'stop', messageId: ack.messageId })).toMatchObject({ type: 'ack', ok: true });
    expect(await raw.ask({ type: 'message', content: 'And you?' })).toMatchObject({ type: 'ack', ok: true });
    raw.close();
  });

  test('with «read» hears what the user does, and may send nothing', async () => {
    const user = await world.signUp();
    const { key } = await keyOf(user, 'read');
    const socket = await connect(key);
    const raw = await connectRaw(world.url, { token: key });
    const heard = [new Promise((resolve) => socket.once('chat:delta', resolve)), raw.next('delta')];
    const sender = await user.connect();
    const { chatId, messageId } = await sender.emitWithAck('chat:send', { content: 'Hello' });
    await Promise.all(heard);
    const forbidden = { ok: false, error: expect.objectContaining({ code: 'FORBIDDEN', status: 403 }) };
    const refused: Record<string, object> = {
      'chat:send': { content: 'x' },
      'chat:stop': { messageId },
      'chat:rename': { chatId, title: 'x' },
      'chat:delete': { chatId },
    };
    for (const [event, payload] of Object.entries(refused)) {
      expect([event, await socket.emitWithAck(event, payload)]).toEqual([event, forbidden]);
    }
    expect(await socket.emitWithAck('chat:sessions', {})).toMatchObject({ ok: true });
    expect(await raw.ask({ type: 'message', content: 'x' })).toMatchObject({
      type: 'error',
      error: { code: 'FORBIDDEN' },
    });
    raw.close();
  });

  test('revoked, is dropped at every door, and the user’s other clients stay', async () => {
    const user = await world.signUp();
    const { id, key } = await keyOf(user, 'chat');
    const socket = await connect(key);
    const raw = await connectRaw(world.url, { token: key });
    const own = await user.connect();
    const { messageId } = await socket.emitWithAck('chat:send', { content: 'Hello' });
    const headers = { Authorization: `Bearer ${key}` };
    const stream = await fetch(`${world.url}/api/chat/messages/${String(messageId)}/stream`, { headers });
    const read = (async () => {
      for await (const _chunk of stream.body!);
    })();
    const ends = [gone(socket), raw.closed, read.catch(() => 'cut')];
    expect((await user.call('DELETE', `/api/keys/${id}`)).status).toBe(204);
    expect(await Promise.all(ends)).toEqual(['io server disconnect', { code: 1008, reason: 'TOKEN_REVOKED' }, 'cut']);
    expect(own.connected).toBe(true);
    expect(await own.emitWithAck('chat:stop', { messageId })).toMatchObject({ ok: true });
    await expect(connect(key)).rejects.toMatchObject({ data: { code: 'TOKEN_REVOKED' } });
  });

  test('expired, is told before and dropped after; its streams end', async () => {
    const user = await world.signUp();
    const expiresAt = new Date(Date.now() + 5 * MINUTE_MS).toISOString();
    const { key } = await keyOf(user, 'chat', { expiresAt });
    const socket = await connect(key);
    const told = new Promise((resolve) => socket.once('auth:expiring', resolve));
    const { messageId } = await socket.emitWithAck('chat:send', { content: 'Hello' });
    const headers = { Authorization: `Bearer ${key}` };
    const stream = await fetch(`${world.url}/api/chat/messages/${String(messageId)}/stream`, { headers });
    expect(stream.status).toBe(200);
    const ended = gone(socket);
    aheadMs = 4.5 * MINUTE_MS;
    expect(await told).toEqual({ expiresAt });
    aheadMs = 5 * MINUTE_MS;
    await expect(
      (async () => {
        for await (const _chunk of stream.body!);
      })(),
    ).rejects.toThrow();
    const refused = await call(`${world.url}/api/chat/sessions`, { headers });
    expect([refused.status, refused.body.code]).toEqual([401, 'TOKEN_EXPIRED']);
    expect(await socket.emitWithAck('chat:sessions', {})).toMatchObject({ error: { code: 'TOKEN_EXPIRED' } });
    aheadMs = 6 * MINUTE_MS;
    expect(await ended).toBe('io server disconnect');
    await user.call('POST', `/api/chat/messages/${String(messageId)}/stop`);
  });

  test('goes on with another credential of its user by auth:refresh, and of nobody else', async () => {
    const [user, stranger] = [await world.signUp(), await world.signUp()];
    const [{ key }, next, foreign] = [
      await keyOf(user, 'read'),
      await keyOf(user, 'chat'),
      await keyOf(stranger, 'chat'),
    ];
    const socket = await connect(key);
    expect(await socket.emitWithAck('auth:refresh', { token: foreign.key })).toMatchObject({
      error: { code: 'FORBIDDEN' },
    });
    expect(await socket.emitWithAck('chat:send', { content: 'x' })).toMatchObject({ error: { code: 'FORBIDDEN' } });
    expect(await socket.emitWithAck('auth:refresh', { token: next.key })).toEqual({ ok: true, expiresAt: null });
    const sent = await socket.emitWithAck('chat:send', { content: 'x' });
    expect(sent).toMatchObject({ ok: true });
    await socket.emitWithAck('chat:stop', { messageId: sent.messageId });
  });
});
