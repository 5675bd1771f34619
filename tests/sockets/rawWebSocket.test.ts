import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { replyEventSchema } from '../../src/schemas/events.ts';
import { signUp, startClockNode } from '../support/accounts.ts';
import { ask, nextEvent, record } from '../support/events.ts';
import { connectRaw, refusedRaw, type Frame, type RawClient } from '../support/rawSocket.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await startWorld({ models: ['sim/echo', 'sim/slow:15', 'sim/stall-mid:3', 'sim/500'] });
  user = await world.signUp();
});
afterAll(() => world.stop());

const enter = (someone: TestUser): Promise<RawClient> => connectRaw(world.url, { token: someone.accessToken });

const cookieOf = async (): Promise<string> => {
  const { username, password } = user;
  const answer = await user.call('POST', '/api/auth/login', { username, password });
  return answer.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0])
    .join('; ');
};

const ticketOf = async (someone: TestUser): Promise<string> =>
  String((await someone.call('POST', '/api/auth/ticket', {})).body.ticket);

describe('the upgrade', () => {
  test('nothing, a bad token and a foreign page are refused, each with its problem, and the connection ends', async () => {
    const nobody = await refusedRaw(world.url, { headers: { 'X-Request-Id': 'mine-1' } });
    expect(nobody).toMatchObject({ status: 401, body: { code: 'UNAUTHENTICATED', requestId: 'mine-1' } });
    expect(nobody.headers).toMatchObject({
      'content-type': 'application/problem+json; charset=utf-8',
      'x-request-id': 'mine-1',
      connection: 'close',
    });
    expect((await refusedRaw(world.url, { token: 'nonsense' })).body.code).toBe('TOKEN_INVALID');
    expect((await refusedRaw(world.url, { query: '?ticket=' })).body.code).toBe('UNAUTHENTICATED');
    const foreign = { token: user.accessToken, headers: { Origin: 'https://evil.example' } };
    expect(await refusedRaw(world.url, foreign)).toMatchObject({ status: 403, body: { code: 'ORIGIN_NOT_ALLOWED' } });
  });

  test('a cookie is good from an own page only', async () => {
    const Cookie = await cookieOf();
    for (const headers of [{ Cookie }, { Cookie, Origin: 'null' }, { Cookie, Origin: 'https://evil.example' }]) {
      expect((await refusedRaw(world.url, { headers })).body.code).toBe('ORIGIN_NOT_ALLOWED');
    }
    const page = await connectRaw(world.url, { headers: { Cookie, Origin: world.url } });
    expect(await page.ask({ type: 'ping' })).toMatchObject({ type: 'pong' });
    page.close();
  });

  test('a ticket is good once, and not spent by a foreign page', async () => {
    const query = `?ticket=${await ticketOf(user)}`;
    const foreign = { query, headers: { Origin: 'https://evil.example' } };
    expect((await refusedRaw(world.url, foreign)).body.code).toBe('ORIGIN_NOT_ALLOWED');
    const client = await connectRaw(world.url, { query });
    expect(await client.ask({ type: 'ping' })).toMatchObject({ type: 'pong' });
    expect((await refusedRaw(world.url, { query })).body.code).toBe('TOKEN_INVALID');
    expect(world.logText()).not.toContain(query);
    client.close();
  });

  test('addresses without a WebSocket, and what is no WebSocket handshake, are refused with a problem', async () => {
    for (const path of ['/api/nothing', '/', '/socket.io', '/socket.io?EIO=4&transport=websocket', '/api/chat/ws/x']) {
      expect([path, await refusedRaw(world.url, { path })]).toMatchObject([path, { status: 404 }]);
    }
    const { hostname, port } = new URL(world.url);
    const wire = connect(Number(port), hostname);
    const head = `GET /api/chat/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`;
    wire.write(`${head}Authorization: Bearer ${user.accessToken}\r\nSec-WebSocket-Key: short\r\n\r\n`);
    // The wire ends although this side keeps its own end open.
    const answer = await text(wire);
    expect(answer).toMatch(/^HTTP\/1\.1 400 [^]*"code":"VALIDATION_FAILED"/);
  });
});

describe('message', () => {
  test('a message, sent, is acknowledged when durable and told as at the other doors, to every device', async () => {
    const [phone, laptop, browser] = [await enter(user), await enter(user), await user.connect()];
    const seen = record(browser);
    const ended = [laptop.next('end'), nextEvent(browser, 'chat:end')];
    const sent = { content: 'Hi from the phone', clientMessageId: 'raw-1', model: 'sim/echo' };
    const ack = await phone.ask({ type: 'message', ...sent });
    expect(ack).toMatchObject({ type: 'ack', ok: true, clientMessageId: 'raw-1', duplicate: false });
    const stored = await user.call('GET', `/api/chat/messages/${String(ack.userMessageId)}`);
    expect(stored.body).toMatchObject({ content: 'Hi from the phone', clientMessageId: 'raw-1' });
    await Promise.all(ended);
    const types = laptop.frames.map(({ type }) => type as string);
    const upToEnd = types.slice(0, types.indexOf('end') + 1);
    expect(upToEnd.filter((type, index) => type !== upToEnd[index - 1])).toEqual([
      'created',
      'message',
      'start',
      'delta',
      'end',
    ]);
    const isOfReply = ({ type }: Frame): boolean => ['start', 'delta', 'end'].includes(type);
    const replyEvents = laptop.frames.filter(isOfReply);
    for (const event of replyEvents) expect(replyEventSchema.safeParse(event).error).toBeUndefined();
    expect(replyEvents).toEqual(seen.map(({ payload }) => payload).filter(isOfReply));
    expect(phone.frames.filter(isOfReply)).toEqual(replyEvents);
    const again = await phone.ask({ type: 'message', ...sent });
    expect(again).toMatchObject({ ok: true, duplicate: true, messageId: ack.messageId, status: 'complete' });
    for (const client of [phone, laptop, browser]) client.close();
  });

  test('what a Socket.IO device does, a raw one is told, and no other user is', async () => {
    const stranger = await enter(await world.signUp());
    const [raw, socket] = [await enter(user), await user.connect()];
    const [created, updated, deleted] = [
      raw.next('created'),
      raw.next('updated', ({ chat }) => chat.title === 'New'),
      raw.next('deleted'),
    ];
    const ended = raw.next('end');
    const { chatId } = await ask(socket, 'chat:send', { content: 'secret', model: 'sim/echo' });
    expect((await created).chat.id).toBe(chatId);
    await ended;
    await ask(socket, 'chat:rename', { chatId, title: 'New' });
    await updated;
    await ask(socket, 'chat:delete', { chatId });
    expect(await deleted).toEqual({ type: 'deleted', chatId });
    await stranger.ask({ type: 'ping' });
    expect(stranger.frames).toEqual([{ type: 'pong', id: 'ask-1' }]);
    for (const client of [raw, socket, stranger]) client.close();
  });

  test('a reply that fails is told with its problem, and one that is stopped with its text', async () => {
    const client = await enter(user);
    const failed = client.next('failed');
    await client.ask({ type: 'message', content: 'x', model: 'sim/500' });
    expect(await failed).toMatchObject({ status: 'failed', error: { code: 'LLM_UNAVAILABLE', status: 503 } });
    const begun = client.next('delta');
    const { messageId } = await client.ask({ type: 'message', content: 'x', model: 'sim/stall-mid:3' });
    await begun;
    const ended = client.next('end');
    const stopped = await client.ask({ type: 'stop', messageId });
    expect(stopped).toMatchObject({ type: 'ack', ok: true, messageId, status: 'stopped' });
    expect(await ended).toMatchObject({ messageId, status: 'stopped' });
    client.close();
  });
});

describe('resume', () => {
  const textFrom = async (client: RawClient, messageId: string, offset: number): Promise<string> => {
    const ended = client.next('end', (event) => event.messageId === messageId);
    const answer = await client.ask({ type: 'resume', messageId, offset });
    expect(answer).toMatchObject({ type: 'ack', ok: true });
    await ended;
    let held = '';
    // What all of the user's devices are told before the answer comes again behind it.
    const behind = client.frames.slice(client.frames.indexOf(answer));
    for (const event of behind.filter(({ type }) => type === 'delta')) {
      expect(event.offset).toBe(offset + held.length);
      held += String(event.text);
    }
    return held;
  };

  test('a device that connects in the midst of a reply, or after it, gets all of it, without gap or overlap', async () => {
    const sender = await enter(user);
    const begun = sender.next('delta', ({ offset }) => offset > 20);
    const { messageId } = await sender.ask({ type: 'message', content: 'x', model: 'sim/slow:15' });
    await begun;
    const late = await enter(user);
    const seen = await textFrom(late, messageId, 0);
    const { body } = await user.call('GET', `/api/chat/messages/${String(messageId)}`);
    expect(seen).toBe(body.content);
    const later = await enter(user);
    expect(await textFrom(later, messageId, 7)).toBe(body.content.slice(7));
    for (const client of [sender, late, later]) client.close();
  });

  test('a reply of another user is none', async () => {
    const client = await enter(user);
    const { messageId } = await client.ask({ type: 'message', content: 'mine', model: 'sim/echo' });
    const stranger = await enter(await world.signUp());
    for (const type of ['resume', 'stop']) {
      const payload = type === 'resume' ? { messageId, offset: 0 } : { messageId };
      const answer = await stranger.ask({ type, ...payload });
      expect(answer).toMatchObject({ type: 'error', error: { code: 'MESSAGE_NOT_FOUND' } });
    }
    for (const other of [client, stranger]) other.close();
  });
});

describe('hostile frames', () => {
  const frames: readonly (readonly [code: string, frame: string | Buffer])[] = [
    ['MALFORMED_JSON', ''],
    ['MALFORMED_JSON', '{'],
    ['MALFORMED_JSON', 'hello'],
    ['MALFORMED_JSON', `${'['.repeat(40)}${']'.repeat(40)}`],
    ['MALFORMED_JSON', '{"type":"message","content":"x","__proto__":{"admin":true}}'],
    ['MALFORMED_JSON', '{"type":"message","content":"x","constructor":{"prototype":{"admin":true}}}'],
    ['UNSUPPORTED_MEDIA_TYPE', Buffer.from('{"type":"ping"}')],
    ['UNSUPPORTED_MEDIA_TYPE', Buffer.from([0xff, 0, 0xd8])],
    ['VALIDATION_FAILED', 'null'],
    ['VALIDATION_FAILED', '42'],
    ['VALIDATION_FAILED', '[]'],
    ['VALIDATION_FAILED', '{}'],
    ['VALIDATION_FAILED', '{"type":null}'],
    ['VALIDATION_FAILED', '{"type":"ping","id":{}}'],
    ['VALIDATION_FAILED', '{"type":"ping","id":1.5}'],
    ['VALIDATION_FAILED', '{"type":"ping","more":1}'],
    ['VALIDATION_FAILED', '{"type":"message"}'],
    ['VALIDATION_FAILED', '{"type":"message","content":{"$ne":null}}'],
    ['VALIDATION_FAILED', '{"type":"message","content":"x","role":"system"}'],
    ['VALIDATION_FAILED', '{"type":"message","content":"\\ud800"}'],
    ['VALIDATION_FAILED', '{"type":"resume","messageId":"x","offset":-1}'],
    ['VALIDATION_FAILED', '{"type":"stop"}'],
    ['VALIDATION_FAILED', '{"type":"refresh","token":7}'],
    ['NOT_FOUND', '{"type":"hasOwnProperty"}'],
    ['NOT_FOUND', '{"type":"constructor"}'],
    ['NOT_FOUND', '{"type":"chat:send","content":"x"}'],
  ];

  test('each is answered with its error, and the connection lives on', async () => {
    const client = await enter(user);
    for (const [code, frame] of frames) {
      const error = client.next('error');
      client.send(frame);
      expect([String(frame), (await error).error]).toMatchObject([
        String(frame),
        { code, requestId: expect.any(String) },
      ]);
    }
    const named = client.next('error');
    client.send({ type: 7, id: 'mine' });
    expect(await named).toMatchObject({ id: 'mine', error: { code: 'VALIDATION_FAILED' } });
    expect(await client.ask({ type: 'ping' })).toEqual({ type: 'pong', id: 'ask-1' });
    client.send({ type: 'ping' });
    expect(await client.next('pong')).toEqual({ type: 'pong' });
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
    client.close();
  });

  test('a frame over the limit, broken UTF-8 and unmasked bytes close the connection, and the server goes on', async () => {
    const large = await enter(user);
    large.send('x'.repeat(300 * 1024));
    expect(await large.closed).toMatchObject({ code: 1009 });
    const broken = await enter(user);
    broken.ws.send(Buffer.from([0xff]), { binary: false });
    expect(await broken.closed).toMatchObject({ code: 1007 });
    const unmasked = await enter(user);
    unmasked.ws.send('x', { mask: false });
    expect(await unmasked.closed).toMatchObject({ code: 1002 });
    const next = await enter(user);
    expect(await next.ask({ type: 'ping' })).toMatchObject({ type: 'pong' });
    next.close();
  });
});

describe('the end of a login', () => {
  test('logout closes the login’s connections with a reason, and no others', async () => {
    const someone = await world.signUp();
    const { username, password } = someone;
    const login = { username, password, session: 'token' };
    const { body } = await someone.call('POST', '/api/auth/login', login);
    const [first, second] = [await enter(someone), await connectRaw(world.url, { token: body.accessToken })];
    const third = await connectRaw(world.url, { query: `?ticket=${await ticketOf(someone)}` });
    await someone.call('POST', '/api/auth/logout');
    expect(await first.closed).toEqual({ code: 1008, reason: 'TOKEN_REVOKED' });
    expect(await third.closed).toEqual({ code: 1008, reason: 'TOKEN_REVOKED' });
    expect(await second.ask({ type: 'ping' })).toMatchObject({ type: 'pong' });
    second.close();
  });

  test('a token that ends is told before, can be renewed by one of the same account, and closes the connection else', async () => {
    const node = await startClockNode({ ACCESS_TOKEN_TTL: '5m' });
    const [account, stranger] = [await signUp(node.url), await signUp(node.url)];
    const [first, second] = [
      await connectRaw(node.url, { token: account.accessToken }),
      await connectRaw(node.url, { token: account.accessToken }),
    ];
    const told = [first.next('expiring'), second.next('expiring')];
    node.advance(4.5 * 60_000);
    expect(await Promise.all(told)).toMatchObject([{ expiresAt: expect.any(String) }, {}]);
    const refresh = { method: 'POST', headers: { 'Content-Type': 'application/json' } };
    const body = JSON.stringify({ refreshToken: account.refreshToken });
    const renewed = (await (await fetch(`${node.url}/api/auth/refresh`, { ...refresh, body })).json()) as {
      accessToken: string;
    };
    const foreign = await first.ask({ type: 'refresh', token: stranger.accessToken });
    expect(foreign).toMatchObject({ type: 'error', error: { code: expect.stringMatching(/FORBIDDEN|TOKEN_EXPIRED/) } });
    expect(await first.ask({ type: 'refresh', token: renewed.accessToken })).toMatchObject({ type: 'ack', ok: true });
    node.advance(45_000);
    expect(await second.closed).toEqual({ code: 1008, reason: 'TOKEN_EXPIRED' });
    expect(await first.ask({ type: 'ping' })).toMatchObject({ type: 'pong' });
    await node.stop();
  });

  test('what a ticket opened is told of the end of the token that bought it, may be renewed, and is closed else', async () => {
    const node = await startClockNode({ ACCESS_TOKEN_TTL: '5m' });
    const account = await signUp(node.url);
    const post = async (path: string, body: object) => {
      const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${account.accessToken}` };
      const answer = await fetch(`${node.url}/api/auth/${path}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      });
      return (await answer.json()) as { ticket: string; accessToken: string };
    };
    const enterByTicket = async () => connectRaw(node.url, { query: `?ticket=${(await post('ticket', {})).ticket}` });
    const [kept, left] = [await enterByTicket(), await enterByTicket()];
    const told = [kept.next('expiring'), left.next('expiring')];
    node.advance(4.5 * 60_000);
    const { exp } = JSON.parse(atob(account.accessToken.split('.')[1] ?? ''));
    const expiresAt = new Date(exp * 1000).toISOString();
    expect(await Promise.all(told)).toMatchObject([{ expiresAt }, { expiresAt }]);
    const { accessToken } = await post('refresh', { refreshToken: account.refreshToken });
    expect(await kept.ask({ type: 'refresh', token: accessToken })).toMatchObject({ type: 'ack', ok: true });
    node.advance(31_000);
    expect(await left.ask({ type: 'message', content: 'x' })).toMatchObject({ error: { code: 'TOKEN_EXPIRED' } });
    node.advance(5_000);
    expect(await left.closed).toEqual({ code: 1008, reason: 'TOKEN_EXPIRED' });
    expect(await kept.ask({ type: 'message', content: 'x' })).toMatchObject({ type: 'ack', ok: true });
    await node.stop();
  });
});

describe('limits', () => {
  test('all but messages and pings count against the API limit of the user', async () => {
    const limited = await startWorld({ models: ['sim/echo'], env: { RATE_LIMIT_API_PER_MINUTE: '3' } });
    const { accessToken: token } = await limited.signUp();
    const client = await connectRaw(limited.url, { token });
    const messages = [];
    for (let index = 0; index < 5; index += 1) {
      messages.push(await client.ask({ type: 'message', content: 'x' }));
      expect(await client.ask({ type: 'ping' })).toMatchObject({ type: 'pong' });
    }
    expect(messages.map(({ ok }) => ok)).toEqual([true, true, true, true, true]);
    const resume = { type: 'resume', messageId: messages[0].messageId, offset: 0 };
    const answers = [];
    for (let index = 0; index < 5; index += 1) answers.push(await client.ask(resume));
    expect(answers.at(-1)).toMatchObject({
      type: 'error',
      error: { code: 'RATE_LIMITED', retryAfterMs: expect.any(Number) },
    });
    client.close();
    await limited.stop();
  });

  test('a silent client is pinged and, without a pong, dropped', async () => {
    const node = await startClockNode();
    const { accessToken: token } = await signUp(node.url);
    const [dead, alive] = [
      await connectRaw(node.url, { token, autoPong: false }),
      await connectRaw(node.url, { token }),
    ];
    const pinged = [once(dead.ws, 'ping'), once(alive.ws, 'ping')];
    node.advance(26_000);
    await Promise.all(pinged);
    // A round trip: the living one's pong is there before the time moves.
    await alive.ask({ type: 'ping' });
    node.advance(16_000);
    expect(await dead.closed).toMatchObject({ code: 1006 });
    expect(await alive.ask({ type: 'ping' })).toMatchObject({ type: 'pong' });
    await node.stop();
  });
});

test('a server that stops refuses new clients, lets replies end, tells the others and closes their connections', async () => {
  const stopping = await startWorld({ models: ['sim/slow:15'] });
  const { accessToken: token } = await stopping.signUp();
  const client = await connectRaw(stopping.url, { token });
  const [begun, ended, told] = [client.next('delta'), client.next('end'), client.next('closing')];
  await client.ask({ type: 'message', content: 'x' });
  await begun;
  const stopped = stopping.stop();
  const refusal = await refusedRaw(stopping.url, { token });
  expect(refusal).toMatchObject({ status: 503, headers: { 'retry-after': '1' }, body: { code: 'SHUTTING_DOWN' } });
  expect(await ended).toMatchObject({ status: 'complete' });
  expect(await told).toEqual({ type: 'closing', retryAfterMs: 1000 });
  expect(await client.closed).toEqual({ code: 1012, reason: 'SHUTTING_DOWN' });
  await stopped;
  expect(stopping.logs().filter(({ message }) => message === 'could not close')).toEqual([]);
});
