import { afterEach, expect, test } from '@jest/globals';
import { startWorld, type World } from '../support/world.ts';

const worlds: World[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.stop();
});

const open = async (env: Record<string, string>) => {
  const world = await startWorld({ models: ['sim/echo'], env });
  worlds.push(world);
  const user = await world.signUp();
  const send = async (content: string, chatId?: string) =>
    (await user.call('POST', '/api/chat/message', { content, ...(chatId ? { chatId } : {}) })).body;
  const lastWindow = (): string[] => world.upstream.log.at(-1)?.messages.map(({ content }) => content) ?? [];
  return { world, user, send, lastWindow };
};

test('the window holds the last messages, whole turns only, behind the system prompt', async () => {
  const { send, lastWindow } = await open({ CONTEXT_MAX_MESSAGES: '4', SYSTEM_PROMPT: 'Be brief.' });
  const { chat } = await send('one');
  for (const content of ['two', 'three']) await send(content, chat.id);
  await send('four', chat.id);
  expect(lastWindow()).toEqual(['Be brief.', 'three', 'three', 'four']);
});

test('a window that tokens bound drops the oldest turns, counted exactly', async () => {
  const { send, lastWindow } = await open({ CONTEXT_MAX_TOKENS: '100' });
  const text = (name: string): string => `${name} ${'word '.repeat(15)}`.trim();
  const { chat } = await send(text('one'));
  await send(text('two'), chat.id);
  await send(text('three'), chat.id);
  // 16 words and 4 tokens of overhead a message: two turns and the prompt fit into 100, by bytes only one would.
  expect(lastWindow().slice(1)).toEqual([text('two'), text('two'), text('three')]);
});

test('the cache serves the same window that the store does', async () => {
  const { world, user, send, lastWindow } = await open({ CONTEXT_MAX_MESSAGES: '6' });
  const { chat } = await send('one');
  for (const content of ['two', 'three', 'four']) await send(content, chat.id);
  await send('five', chat.id);
  const cached = lastWindow();
  world.node.container.context.forget(String(chat.id));
  const { metrics } = world.node.container;
  const misses = await metrics.value('context_cache_lookups_total', { result: 'miss' });
  await user.call('POST', '/api/chat/message', { content: 'six', chatId: chat.id });
  expect(await metrics.value('context_cache_lookups_total', { result: 'miss' })).toBe(misses + 1);
  expect(lastWindow()).toEqual([...cached.slice(0, 1), ...cached.slice(3), 'five', 'six']);
});

test('a message on another branch is shown that branch', async () => {
  const { user, send, lastWindow } = await open({});
  const first = await send('root');
  await send('left', first.chat.id);
  await user.call('POST', '/api/chat/message', { content: 'right', chatId: first.chat.id, parentId: first.message.id });
  expect(lastWindow().slice(1)).toEqual(['root', 'root', 'right']);
});

test('a client’s system prompt, where it is allowed, becomes the chat’s', async () => {
  const { world, user, lastWindow } = await open({ ALLOW_CLIENT_SYSTEM_PROMPT: 'true' });
  const { body } = await user.call('POST', '/api/chat/message', { content: 'x', systemPrompt: 'Speak Latin.' });
  expect(body.chat.systemPrompt).toBe('Speak Latin.');
  await user.call('POST', '/api/chat/message', { content: 'y', chatId: body.chat.id });
  expect(lastWindow()[0]).toBe('Speak Latin.');
  await user.call('POST', '/api/chat/message', { content: 'z', chatId: body.chat.id, systemPrompt: 'Speak Greek.' });
  expect(lastWindow()[0]).toBe('Speak Greek.');
  expect(world.logText()).not.toContain('Latin');
});
