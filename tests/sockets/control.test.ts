import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Socket } from 'socket.io-client';
import { ask, nextEvent, record } from '../support/events.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await startWorld({ models: ['sim/echo', 'sim/stall-mid:3'] });
  user = await world.signUp();
});
afterAll(() => world.stop());

const ended = (socket: Socket, messageId?: string) =>
  nextEvent(socket, 'chat:end', (event) => messageId === undefined || event.messageId === messageId);

/** A message with its reply, and two devices that hear what happens next. */
const begin = async (content = 'hello') => {
  const [socket, other] = [await user.connect(), await user.connect()];
  const done = ended(socket);
  const sent = await ask(socket, 'chat:send', { content, model: 'sim/echo' });
  await done;
  // The chat's new preview is the last that is told of a reply.
  const { body: chat } = await user.call('GET', `/api/chat/sessions/${String(sent.chatId)}`);
  return { socket, other, sent, chat };
};
const namesOf = (seen: readonly { name: string }[]) =>
  seen.map(({ name }) => name).filter((name, index, all) => name !== all[index - 1]);

describe('chat:regenerate', () => {
  test('is acknowledged as a send; other devices are told of the branch before its reply', async () => {
    const { socket, other, sent } = await begin();
    const seen = record(other);
    const done = ended(other);
    const ack = await ask(socket, 'chat:regenerate', {
      messageId: sent.messageId,
      model: 'sim/echo',
      clientMessageId: 'socket-regenerate',
    });
    expect(ack).toEqual({
      ok: true,
      chatId: sent.chatId,
      userMessageId: sent.userMessageId,
      messageId: expect.any(String),
      clientMessageId: 'socket-regenerate',
      status: expect.any(String),
      duplicate: false,
    });
    await done;
    const told = seen.slice(seen.findIndex(({ payload }) => payload.chat?.activeLeafId === ack.messageId));
    expect(namesOf(told).slice(0, 4)).toEqual(['chat:updated', 'chat:start', 'chat:delta', 'chat:end']);
    expect(seen.some(({ name }) => name === 'chat:message')).toBe(false);
    const again = await ask(socket, 'chat:regenerate', {
      messageId: sent.messageId,
      clientMessageId: 'socket-regenerate',
    });
    expect(again).toMatchObject({ ok: true, duplicate: true, messageId: ack.messageId, status: 'complete' });
  });
});

describe('chat:edit', () => {
  test('is acknowledged as a send; other devices get the message with its siblings, then the reply', async () => {
    const { socket, other, sent } = await begin();
    const stored = nextEvent(other, 'chat:message', ({ message }) => message.content === 'hallo');
    const done = nextEvent(other, 'chat:end', ({ messageId }) => messageId !== sent.messageId);
    const ack = await ask(socket, 'chat:edit', { messageId: sent.userMessageId, content: 'hallo', model: 'sim/echo' });
    expect(ack).toMatchObject({ ok: true, chatId: sent.chatId, duplicate: false });
    const { message, chat } = await stored;
    expect(message).toMatchObject({ id: ack.userMessageId, siblings: [sent.userMessageId, ack.userMessageId] });
    expect(chat.activeLeafId).toBe(ack.messageId);
    expect(await done).toMatchObject({ messageId: ack.messageId, status: 'complete' });
    const refused = await ask(socket, 'chat:edit', { messageId: ack.messageId, content: 'x' });
    expect(refused).toMatchObject({ ok: false, error: { code: 'VALIDATION_FAILED', status: 400 } });
  });
});

describe('chat:batch', () => {
  test('acknowledges each item; other devices hear of each message and reply in order', async () => {
    const [socket, other] = [await user.connect(), await user.connect()];
    const seen = record(other);
    const items = ['one', 'two', 'three'].map((content, index) => ({
      content,
      clientMessageId: `socket-batch-${String(index)}`,
      model: 'sim/echo',
      ...(index > 0 ? { chatOf: 'socket-batch-0' } : {}),
    }));
    const ack = await ask(socket, 'chat:batch', { items: [...items, { content: '' }] });
    expect(ack).toMatchObject({ ok: true, results: [{ ok: true }, { ok: true }, { ok: true }, { ok: false }] });
    const replies = ack.results.slice(0, 3).map(({ messageId }: { messageId: string }) => messageId);
    await waitFor(() => seen.filter(({ name }) => name === 'chat:end').length === 3);
    const of = (name: string) => seen.filter((event) => event.name === name).map(({ payload }) => payload);
    expect(of('chat:message').map(({ message }) => message.content)).toEqual(['one', 'two', 'three']);
    expect(of('chat:start').map(({ messageId }) => messageId)).toEqual(replies);
    expect(of('chat:end').map(({ messageId }) => messageId)).toEqual(replies);
  });
});

describe('what REST does', () => {
  test('a deleted message is told with the chat, to every device of its owner and to no other', async () => {
    const { other, sent } = await begin();
    const stranger = record(await (await world.signUp()).connect());
    const updated = nextEvent(other, 'chat:updated', ({ deletedMessageIds }) => deletedMessageIds !== undefined);
    await user.call('DELETE', `/api/chat/messages/${String(sent.userMessageId)}`);
    expect(await updated).toMatchObject({
      chat: { id: sent.chatId, messageCount: 0, activeLeafId: null },
      deletedMessageIds: [sent.userMessageId, sent.messageId],
    });
    expect(stranger).toEqual([]);
  });

  test('feedback is told as an updated message', async () => {
    const { other, sent } = await begin();
    const updated = nextEvent(other, 'chat:message-updated');
    const path = `/api/chat/messages/${String(sent.messageId)}/feedback`;
    const { body } = await user.call('POST', path, { rating: 'up', comment: 'Good' });
    expect(await updated).toEqual({ message: body });
    expect(body.feedback).toEqual({ rating: 'up', comment: 'Good' });
  });

  test('the branch shown is told as an updated chat', async () => {
    const { socket, other, sent } = await begin();
    const done = ended(socket);
    await ask(socket, 'chat:regenerate', { messageId: sent.messageId, model: 'sim/echo' });
    await done;
    const updated = nextEvent(other, 'chat:updated', ({ chat }) => chat.activeLeafId === sent.messageId);
    await user.call('PATCH', `/api/chat/sessions/${String(sent.chatId)}`, { activeLeafId: sent.messageId });
    expect((await updated).chat.id).toBe(sent.chatId);
  });
});

describe('chat:stop', () => {
  test('from another device, of a reply that waits, ends it for all', async () => {
    const [socket, other] = [await user.connect(), await user.connect()];
    const begun = nextEvent(other, 'chat:delta');
    const running = await ask(socket, 'chat:send', { content: 'x', model: 'sim/stall-mid:3' });
    await begun;
    const waiting = await ask(socket, 'chat:send', { content: 'y', chatId: running.chatId, model: 'sim/echo' });
    expect(waiting.status).toBe('queued');
    const stopped = nextEvent(socket, 'chat:end', ({ messageId }) => messageId === waiting.messageId);
    const ack = await ask(other, 'chat:stop', { messageId: waiting.messageId });
    expect(ack).toMatchObject({ ok: true, messageId: waiting.messageId, status: 'stopped' });
    expect(await stopped).toMatchObject({ status: 'stopped', length: 0 });
    await ask(other, 'chat:stop', { messageId: running.messageId });
  });
});

describe('hostile payloads', () => {
  test('get an error ack and hurt nobody', async () => {
    const socket = await user.connect();
    const hostile = [
      null,
      42,
      'x',
      [],
      {},
      { messageId: { $ne: null } },
      { items: 'x' },
      { items: [] },
      { messageId: '' },
    ];
    for (const event of ['chat:regenerate', 'chat:edit', 'chat:batch']) {
      for (const payload of hostile) {
        const ack = await ask(socket, event, payload);
        expect([event, payload, ack.ok, ack.error?.status]).toEqual([event, payload, false, 400]);
      }
    }
    const odd = await ask(socket, 'chat:batch', { items: [null, [], 7, { content: { $gt: '' } }] });
    expect(odd.results.map(({ error }: { error: { code: string } }) => error.code)).toEqual(
      Array(4).fill('VALIDATION_FAILED'),
    );
    expect(socket.connected).toBe(true);
  });
});
