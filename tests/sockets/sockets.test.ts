import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { io, type Socket } from 'socket.io-client';
import { WebSocket } from 'ws';
import { replyEventSchema } from '../../src/schemas/events.ts';
import { ask, nextEvent, record } from '../support/events.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await startWorld({ models: ['sim/echo', 'sim/slow:15', 'sim/stall-mid:3', 'sim/500'] });
  user = await world.signUp();
});
afterAll(() => world.stop());

const refused = (
  options: Parameters<typeof io>[1],
): Promise<{ message: string; data?: { code: string; status: number } }> =>
  new Promise((resolve, reject) => {
    const socket = io(world.url, { transports: ['websocket'], forceNew: true, reconnection: false, ...options });
    socket.once('connect', () => reject(new Error('connected')));
    socket.once('connect_error', (error) => {
      socket.close();
      resolve(error);
    });
  });

const cookieOf = async (): Promise<string> => {
  const response = await fetch(`${world.url}/api/auth/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ username: user.username, password: user.password }),
  });
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0])
    .join('; ');
};

describe('the handshake', () => {
  test('nothing, a bad token and a foreign page are refused, each with its problem', async () => {
    expect((await refused({})).data).toMatchObject({ code: 'UNAUTHENTICATED', status: 401 });
    expect((await refused({ auth: { token: 'nonsense' } })).data).toMatchObject({ code: 'TOKEN_INVALID' });
    expect((await refused({ auth: { token: 42 } })).data).toMatchObject({ code: 'UNAUTHENTICATED' });
    const foreign = { auth: { token: user.accessToken }, extraHeaders: { Origin: 'https://evil.example' } };
    expect((await refused(foreign)).data).toMatchObject({ code: 'ORIGIN_NOT_ALLOWED', status: 403 });
  });

  test('a cookie is good from an own page only', async () => {
    const cookie = await cookieOf();
    expect((await refused({ extraHeaders: { Cookie: cookie } })).data).toMatchObject({ code: 'ORIGIN_NOT_ALLOWED' });
    expect((await refused({ extraHeaders: { Cookie: cookie, Origin: 'null' } })).data).toMatchObject({
      code: 'ORIGIN_NOT_ALLOWED',
    });
    const socket = io(world.url, {
      transports: ['websocket'],
      forceNew: true,
      extraHeaders: { Cookie: cookie, Origin: world.url },
    });
    await nextEvent(socket, 'connect');
    socket.close();
  });

  test('an upgrade on an address without a WebSocket is refused at once', async () => {
    const socket = new WebSocket(`${world.url.replace('http', 'ws')}/api/nothing`);
    const error = await new Promise<Error>((resolve) => socket.once('error', resolve));
    expect(error.message).toMatch('404');
  });
});

describe('chat:send', () => {
  test('a message, sent, is acknowledged when durable and told as message, start, deltas and end, to every device', async () => {
    const [phone, laptop] = [await user.connect(), await user.connect()];
    const seen = record(laptop);
    const updated = nextEvent(laptop, 'chat:updated');
    const ack = await ask(phone, 'chat:send', {
      content: 'Hi from the phone',
      clientMessageId: 'phone-1',
      model: 'sim/echo',
    });
    expect(ack).toMatchObject({ ok: true, clientMessageId: 'phone-1', duplicate: false });
    const stored = await user.call('GET', `/api/chat/messages/${String(ack.userMessageId)}`);
    expect(stored.body).toMatchObject({ content: 'Hi from the phone', clientMessageId: 'phone-1' });
    await updated;
    const names = seen.map(({ name }) => name).filter((name, index, all) => name !== all[index - 1]);
    expect(names).toEqual(['chat:created', 'chat:message', 'chat:start', 'chat:delta', 'chat:end', 'chat:updated']);
    const replyEvents = seen.filter(({ name }) => /start|delta|end/.test(name)).map(({ payload }) => payload);
    for (const event of replyEvents) expect(replyEventSchema.safeParse(event).error).toBeUndefined();
    const text = replyEvents
      .filter(({ type }) => type === 'delta')
      .map((delta) => delta.text)
      .join('');
    expect(text).toBe('Hi from the phone');
    const again = await ask(phone, 'chat:send', { content: 'Hi from the phone', clientMessageId: 'phone-1' });
    expect(again).toMatchObject({ ok: true, duplicate: true, messageId: ack.messageId, status: 'complete' });
  });

  test('what one user sends, no other user is told', async () => {
    const stranger = await world.signUp();
    const other = record(await stranger.connect());
    const mine = await user.connect();
    const ended = nextEvent(mine, 'chat:end');
    await ask(mine, 'chat:send', { content: 'secret', model: 'sim/echo' });
    await ended;
    const own = await stranger.connect();
    const ownEnd = nextEvent(own, 'chat:end');
    await ask(own, 'chat:send', { content: 'mine', model: 'sim/echo' });
    await ownEnd;
    expect(JSON.stringify(other)).not.toContain('secret');
  });

  test('a reply that fails is told with its problem', async () => {
    const socket = await user.connect();
    const failed = nextEvent(socket, 'chat:failed');
    await ask(socket, 'chat:send', { content: 'x', model: 'sim/500' });
    expect(await failed).toMatchObject({
      status: 'failed',
      length: 0,
      error: { code: 'LLM_UNAVAILABLE', status: 503 },
    });
  });
});

describe('chat:resume', () => {
  const textFrom = async (socket: Socket, messageId: string, offset: number): Promise<string> => {
    let text = '';
    let held = offset;
    let isAnswered = false;
    const done = nextEvent(socket, 'chat:end', (event) => event.messageId === messageId);
    socket.on('chat:delta', (event) => {
      // What all of the user's devices are told before the answer comes again behind it.
      if (!isAnswered || event.messageId !== messageId) return;
      expect(event.offset).toBe(held);
      held += event.text.length;
      text += event.text;
    });
    const answer = await new Promise((resolve) => {
      socket.emit('chat:resume', { messageId, offset }, (ack: unknown) => {
        isAnswered = true;
        resolve(ack);
      });
    });
    expect(answer).toMatchObject({ ok: true });
    await done;
    return text;
  };

  test('a device that connects in the midst of a reply gets all of it, without gap or overlap', async () => {
    const sender = await user.connect();
    const begun = nextEvent(sender, 'chat:delta', ({ offset }) => offset > 20);
    const { messageId } = await ask(sender, 'chat:send', { content: 'x', model: 'sim/slow:15' });
    await begun;
    const late = await user.connect();
    const text = await textFrom(late, messageId, 0);
    const stored = await user.call('GET', `/api/chat/messages/${String(messageId)}`);
    expect(text).toBe(stored.body.content);
  });

  test('a reply that is final is resumed from any offset, with its end', async () => {
    const socket = await user.connect();
    const ended = nextEvent(socket, 'chat:end');
    const { messageId } = await ask(socket, 'chat:send', { content: 'final text', model: 'sim/echo' });
    await ended;
    const other = await user.connect();
    expect(await textFrom(other, messageId, 6)).toBe('text');
    const complete = nextEvent(other, 'chat:end');
    expect(await ask(other, 'chat:resume', { messageId, offset: 10 })).toMatchObject({
      ok: true,
      status: 'complete',
      length: 10,
    });
    await complete;
  });
});

describe('the other events', () => {
  test('sessions, history, rename, stop and delete answer as REST does, and other devices are told', async () => {
    const [socket, other] = [await user.connect(), await user.connect()];
    const stalled = nextEvent(socket, 'chat:delta');
    const sent = await ask(socket, 'chat:send', { content: 'x', model: 'sim/stall-mid:3' });
    await stalled;
    expect(await ask(socket, 'chat:stop', { messageId: sent.messageId })).toMatchObject({
      ok: true,
      messageId: sent.messageId,
      userMessageId: sent.userMessageId,
      clientMessageId: sent.clientMessageId,
      status: 'stopped',
      duplicate: false,
    });
    const renamed = nextEvent(other, 'chat:updated', ({ chat }) => chat.title === 'New name');
    expect(await ask(socket, 'chat:rename', { chatId: sent.chatId, title: 'New name' })).toMatchObject({
      ok: true,
      chat: { title: 'New name' },
    });
    await renamed;
    const sessions = await ask(socket, 'chat:sessions', { limit: 1 });
    const overRest = await user.call('GET', '/api/chat/sessions?limit=1');
    expect(sessions).toEqual({ ok: true, ...overRest.body });
    const history = await ask(socket, 'chat:history', { chatId: sent.chatId });
    const historyOverRest = await user.call('GET', `/api/chat/history?chatId=${String(sent.chatId)}`);
    expect(history).toEqual({ ok: true, ...historyOverRest.body });
    const deleted = nextEvent(other, 'chat:deleted');
    expect(await ask(socket, 'chat:delete', { chatId: sent.chatId })).toEqual({ ok: true });
    expect(await deleted).toEqual({ chatId: sent.chatId });
    expect(await ask(socket, 'chat:history', { chatId: sent.chatId })).toMatchObject({
      ok: false,
      error: { code: 'CHAT_NOT_FOUND' },
    });
  });

  test('hostile payloads get an error ack, or none where there is no ack, and hurt nobody', async () => {
    const socket = await user.connect();
    const hostile = [
      null,
      42,
      'text',
      [],
      [[]],
      { content: null },
      { content: { $ne: null } },
      { content: 'x', role: 'system' },
      { content: '' },
      { content: '\ud800' },
      { content: 'x', chatId: { $gt: '' } },
      { ['__proto__']: { admin: true } },
      Buffer.from('x'),
      true,
    ];
    const events = [
      'chat:send',
      'chat:resume',
      'chat:stop',
      'chat:sessions',
      'chat:history',
      'chat:rename',
      'chat:delete',
      'auth:refresh',
    ];
    for (const event of events) {
      for (const payload of hostile) {
        socket.emit(event, payload);
        const ack = await ask(socket, event, payload);
        const isFineWithoutInput = event === 'chat:sessions' && (payload === null || JSON.stringify(payload) === '{}');
        if (!isFineWithoutInput)
          expect([event, payload, ack.ok, ack.error?.status]).toEqual([event, payload, false, expect.any(Number)]);
        if (!ack.ok) expect(ack.error.status).toBeLessThan(500);
      }
      socket.emit(event);
    }
    for (const unknown of ['nothing', 'hasOwnProperty', 'constructor', '__proto__']) {
      expect(await ask(socket, unknown, {})).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } });
    }
    expect(socket.connected).toBe(true);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  test('a frame over the limit closes the socket, and the server goes on', async () => {
    const socket = await user.connect();
    const closed = nextEvent(socket, 'disconnect');
    socket.emit('chat:send', { content: 'x'.repeat(300 * 1024) });
    await closed;
    const next = await user.connect();
    expect(await ask(next, 'chat:sessions', {})).toMatchObject({ ok: true });
  });
});

describe('the end of a login', () => {
  test('logout closes the login’s sockets and no others; deletion of the account closes all', async () => {
    const someone = await world.signUp();
    const first = await someone.connect();
    const login = await someone.call('POST', '/api/auth/login', {
      username: someone.username,
      password: someone.password,
      session: 'token',
    });
    const second = io(world.url, {
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
      auth: { token: login.body.accessToken },
    });
    await nextEvent(second, 'connect');
    const dropped = nextEvent(first, 'disconnect');
    await someone.call('POST', '/api/auth/logout');
    await dropped;
    expect(second.connected).toBe(true);
    const secondDropped = nextEvent(second, 'disconnect');
    const headers = { Authorization: `Bearer ${String(login.body.accessToken)}` };
    expect((await someone.call('DELETE', '/api/auth/me', { password: someone.password }, { headers })).status).toBe(
      204,
    );
    await secondDropped;
  });

  test('auth:refresh takes a new token of the same account and no other', async () => {
    const socket = await user.connect();
    const stranger = await world.signUp();
    expect(await ask(socket, 'auth:refresh', { token: stranger.accessToken })).toMatchObject({
      ok: false,
      error: { code: 'FORBIDDEN' },
    });
    expect(await ask(socket, 'auth:refresh', { token: user.accessToken })).toMatchObject({
      ok: true,
      expiresAt: expect.any(String),
    });
  });
});
