import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await startWorld({ models: ['sim/echo', 'sim/stall-mid:3'] });
  user = await world.signUp();
});
afterAll(() => world.stop());

const send = async (content: string, chatId?: string) => {
  const { body } = await user.call('POST', '/api/chat/message', {
    content,
    model: 'sim/echo',
    ...(chatId ? { chatId } : {}),
  });
  return body;
};

const allPages = async (
  path: string,
): Promise<{ items: { id: string; seq: number; content: string; title: string }[]; pages: number }> => {
  const items = [];
  let pages = 0;
  for (let cursor: string | null = ''; cursor !== null; pages += 1) {
    const { body } = await user.call('GET', `${path}${cursor === '' ? '' : `&cursor=${cursor}`}`);
    items.push(...body.items);
    cursor = body.nextCursor;
  }
  return { items, pages };
};

describe('sessions', () => {
  test('a chat is made, read, renamed, listed and deleted', async () => {
    const made = await user.call('POST', '/api/chat/sessions', { title: 'Plans', model: 'sim/echo' });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({ title: 'Plans', model: 'sim/echo', messageCount: 0, activeLeafId: null, rev: 1 });
    const path = String(made.headers.get('Location'));
    expect((await user.call('GET', path)).body).toEqual(made.body);
    const renamed = await user.call('PATCH', path, { title: 'Better plans' });
    expect(renamed.body).toMatchObject({ title: 'Better plans', rev: 2 });
    expect((await user.call('GET', '/api/chat/sessions?q=BETTER')).body.items).toEqual([renamed.body]);
    expect((await user.call('DELETE', path)).status).toBe(204);
    expect(await user.call('GET', path)).toMatchObject({ status: 404, body: { code: 'CHAT_NOT_FOUND' } });
    expect(await user.call('DELETE', path)).toMatchObject({ status: 404, body: { code: 'CHAT_NOT_FOUND' } });
  });

  test('changes that are none or not allowed are refused', async () => {
    const { body: chat } = await user.call('POST', '/api/chat/sessions', {});
    const path = `/api/chat/sessions/${String(chat.id)}`;
    expect(await user.call('PATCH', path, {})).toMatchObject({ status: 400, body: { code: 'VALIDATION_FAILED' } });
    expect(await user.call('PATCH', path, { title: '' })).toMatchObject({ status: 400 });
    expect(await user.call('PATCH', path, { title: 'x'.repeat(256) })).toMatchObject({ status: 400 });
    expect(await user.call('PATCH', path, { ownerId: 'me' })).toMatchObject({ status: 400 });
    expect(await user.call('PATCH', path, { model: 'nobody/x' })).toMatchObject({
      status: 400,
      body: { code: 'MODEL_NOT_AVAILABLE' },
    });
    expect((await user.call('PATCH', path, { title: '😀'.repeat(255) })).status).toBe(200);
  });

  test('the list is paged newest first, in every order, without one twice or none', async () => {
    const someone = await world.signUp();
    const titles = Array.from({ length: 7 }, (_, index) => `chat ${String(index)}`);
    for (const title of titles) await someone.call('POST', '/api/chat/sessions', { title });
    const read = async (sort: string): Promise<string[]> => {
      const seen: string[] = [];
      for (let cursor = ''; ;) {
        const { body } = await someone.call('GET', `/api/chat/sessions?limit=3&sort=${sort}${cursor}`);
        seen.push(...body.items.map(({ title }: { title: string }) => title));
        if (body.nextCursor === null) return seen;
        cursor = `&cursor=${String(body.nextCursor)}`;
      }
    };
    expect(await read('-updatedAt')).toEqual(titles.toReversed());
    expect(await read('createdAt')).toEqual(titles);
    const { body } = await someone.call('GET', '/api/chat/sessions?limit=3');
    expect(
      await someone.call('GET', `/api/chat/sessions?sort=createdAt&cursor=${String(body.nextCursor)}`),
    ).toMatchObject({ status: 400, body: { code: 'CURSOR_INVALID' } });
  });

  test('another user’s chat cannot be told from a missing one, at any address', async () => {
    const { chat, message } = await send('mine');
    const stranger = await world.signUp();
    const calls: [string, string, object?][] = [
      ['GET', `/api/chat/sessions/${String(chat.id)}`],
      ['PATCH', `/api/chat/sessions/${String(chat.id)}`, { title: 'x' }],
      ['DELETE', `/api/chat/sessions/${String(chat.id)}`],
      ['GET', `/api/chat/sessions/${String(chat.id)}/messages`],
      ['GET', `/api/chat/sessions/${String(chat.id)}/messages?all=true`],
      ['GET', `/api/chat/history?chatId=${String(chat.id)}`],
      ['DELETE', `/api/chat/history?chatId=${String(chat.id)}`],
      ['GET', `/api/chat/messages/${String(message.id)}`],
      ['GET', `/api/chat/messages/${String(message.id)}/stream`],
      ['POST', `/api/chat/messages/${String(message.id)}/stop`],
    ];
    for (const [method, path, body] of calls) {
      const foreign = await stranger.call(method, path, body);
      const missing = await stranger.call(
        method,
        path.replace(/[0-9a-f-]{36}/, '01900000-0000-7000-8000-000000000000'),
        body,
      );
      expect([path, foreign.status]).toEqual([path, 404]);
      expect({ ...foreign.body, requestId: '' }).toEqual({ ...missing.body, requestId: '' });
    }
    expect((await user.call('GET', `/api/chat/messages/${String(message.id)}`)).status).toBe(200);
  });
});

describe('history', () => {
  test('messages are paged backwards from the newest, and stay right while messages arrive', async () => {
    const { chat } = await send('m0');
    for (let index = 1; index < 6; index += 1) await send(`m${String(index)}`, chat.id);
    const path = `/api/chat/sessions/${String(chat.id)}/messages?limit=5`;
    const first = await user.call('GET', path);
    expect(first.body.items.map(({ seq }: { seq: number }) => seq)).toEqual([8, 9, 10, 11, 12]);
    await send('m6', chat.id);
    const second = await user.call('GET', `${path}&cursor=${String(first.body.nextCursor)}`);
    expect(second.body.items.map(({ seq }: { seq: number }) => seq)).toEqual([3, 4, 5, 6, 7]);
    const tree = await allPages(`/api/chat/history?chatId=${String(chat.id)}&all=true&limit=4`);
    expect(tree.items.map(({ seq }) => seq).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 14 }, (_, index) => index + 1),
    );
    expect(tree.pages).toBe(4);
  });

  test('a message with another parent makes a branch; history shows the active one, ?all=true the tree', async () => {
    const first = await send('question');
    await send('follow-up', first.chat.id);
    const branch = await user.call('POST', '/api/chat/message', {
      content: 'other follow-up',
      chatId: first.chat.id,
      parentId: first.message.id,
      model: 'sim/echo',
    });
    expect(branch.body.userMessage.parentId).toBe(first.message.id);
    const path = `/api/chat/history?chatId=${String(first.chat.id)}`;
    const active = await user.call('GET', path);
    expect(active.body.items.map(({ content }: { content: string }) => content)).toEqual([
      'question',
      'question',
      'other follow-up',
      'other follow-up',
    ]);
    const tree = await user.call('GET', `${path}&all=true`);
    expect(tree.body.items).toHaveLength(6);
  });

  test('clearing stops what runs, deletes the messages and keeps the chat', async () => {
    const { chat } = await send('to be cleared');
    const attempt = world.upstream.nextAttempt();
    const running = user.call('POST', '/api/chat/message', { content: 'x', chatId: chat.id, model: 'sim/stall-mid:3' });
    await attempt;
    expect((await user.call('DELETE', `/api/chat/history?chatId=${String(chat.id)}`)).status).toBe(204);
    expect((await running).body.message.status).toBe('stopped');
    expect((await user.call('GET', `/api/chat/sessions/${String(chat.id)}/messages`)).body.items).toEqual([]);
    const cleared = await user.call('GET', `/api/chat/sessions/${String(chat.id)}`);
    expect(cleared.body).toMatchObject({ messageCount: 0, activeLeafId: null, lastMessagePreview: null });
    const before = world.upstream.log.length;
    const next = await send('fresh start', chat.id);
    expect(next.userMessage.parentId).toBeNull();
    expect(world.upstream.log[before]?.messages.map(({ content }) => content)).toEqual([
      'You are a helpful assistant.',
      'fresh start',
    ]);
  });

  test('without a chat every chat is deleted', async () => {
    const someone = await world.signUp();
    for (const content of ['a', 'b']) await someone.call('POST', '/api/chat/message', { content, model: 'sim/echo' });
    expect((await someone.call('DELETE', '/api/chat/history')).status).toBe(204);
    expect((await someone.call('GET', '/api/chat/sessions')).body).toEqual({ items: [], nextCursor: null });
  });
});

describe('GET /api/models and health', () => {
  test('the rotation is told, and who is next', async () => {
    const { body } = await user.call('GET', '/api/models');
    expect(body).toMatchObject({
      simulated: false,
      items: [
        { id: 'sim/echo', weight: 1 },
        { id: 'sim/stall-mid:3', weight: 1 },
      ],
    });
    expect(body.items.filter(({ next }: { next: boolean }) => next)).toHaveLength(1);
  });

  test('health tells life and readiness', async () => {
    expect(await user.call('GET', '/health')).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect(await user.call('GET', '/health/ready')).toMatchObject({
      status: 200,
      body: { checks: { database: 'up', accepting: true } },
    });
  });
});
