import { afterEach, expect, test } from '@jest/globals';
import { ask, nextEvent } from '../support/events.ts';
import { startWorld, type World } from '../support/world.ts';

const worlds: World[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.stop();
});
const open = async (env: Record<string, string> = {}) => {
  const world = await startWorld({ models: ['sim/slow:5', 'sim/echo', 'sim/stall-mid:3'], env });
  worlds.push(world);
  return { world, user: await world.signUp() };
};

test('turns that begin in another order than they were stored in are answered in the order of seq, and none hangs', async () => {
  const { user } = await open({ ALLOW_CLIENT_SYSTEM_PROMPT: 'true' });
  const socket = await user.connect();
  const first = await ask(socket, 'chat:send', { content: 'zero', model: 'sim/slow:5' });
  const { chatId } = first;
  const ended: string[] = [];
  const all = new Promise<void>((resolve) => {
    socket.on('chat:end', ({ messageId }) => {
      ended.push(messageId);
      if (ended.length === 3) resolve();
    });
  });
  // The one with a prompt has one more write before it begins, so the other one begins first.
  const [a, b] = await Promise.all([
    ask(socket, 'chat:send', { content: 'one', chatId, model: 'sim/echo', systemPrompt: 'Be kind.' }),
    ask(socket, 'chat:send', { content: 'two', chatId, model: 'sim/echo' }),
  ]);
  await all;
  const { body } = await user.call('GET', `/api/chat/history?chatId=${String(chatId)}`);
  const replies = body.items.filter(({ role }: { role: string }) => role === 'assistant');
  expect(replies.map(({ status }: { status: string }) => status)).toEqual(['complete', 'complete', 'complete']);
  expect(ended).toEqual(replies.map(({ id }: { id: string }) => id));
  expect(new Set(ended)).toEqual(new Set([first.messageId, a.messageId, b.messageId]));
});

test('a waiting reply that is stopped is final at once, and the next one goes on', async () => {
  const { world, user } = await open();
  const socket = await user.connect();
  const attempt = world.upstream.nextAttempt();
  const running = await ask(socket, 'chat:send', { content: 'x', model: 'sim/stall-mid:3' });
  await attempt;
  const waiting = await ask(socket, 'chat:send', { content: 'y', chatId: running.chatId, model: 'sim/echo' });
  expect(waiting.status).toBe('queued');
  const stopped = await user.call('POST', `/api/chat/messages/${String(waiting.messageId)}/stop`);
  expect(stopped.body).toMatchObject({ status: 'stopped', content: '' });
  const last = await ask(socket, 'chat:send', { content: 'z', chatId: running.chatId, model: 'sim/echo' });
  const ended = nextEvent(socket, 'chat:end', ({ messageId }) => messageId === last.messageId);
  await user.call('POST', `/api/chat/messages/${String(running.messageId)}/stop`);
  expect(await ended).toMatchObject({ status: 'complete' });
  expect(world.upstream.log.map(({ model }) => model)).toEqual(['sim/stall-mid:3', 'sim/echo']);
});

test('rev rises with every change of a reply, as clients read it', async () => {
  const { world, user } = await open();
  const socket = await user.connect();
  const running = await ask(socket, 'chat:send', { content: 'x', model: 'sim/stall-mid:3' });
  const waiting = await ask(socket, 'chat:send', { content: 'y', chatId: running.chatId, model: 'sim/stall-mid:3' });
  const read = async () => (await user.call('GET', `/api/chat/messages/${String(waiting.messageId)}`)).body;
  const queued = await read();
  const shown = nextEvent(socket, 'chat:delta', ({ messageId }) => messageId === waiting.messageId);
  await user.call('POST', `/api/chat/messages/${String(running.messageId)}/stop`);
  await shown;
  const streaming = await read();
  const final = (await user.call('POST', `/api/chat/messages/${String(waiting.messageId)}/stop`)).body;
  expect([queued.status, streaming.status, final.status]).toEqual(['queued', 'streaming', 'stopped']);
  expect(streaming.rev).toBeGreaterThan(queued.rev);
  expect(final.rev).toBeGreaterThan(streaming.rev);
  expect(world.logs().filter(({ level }) => level === 'error')).toEqual([]);
});

test('a prompt that is changed while a reply waits is the one that its model is shown', async () => {
  const { world, user } = await open({ ALLOW_CLIENT_SYSTEM_PROMPT: 'true' });
  const socket = await user.connect();
  const attempt = world.upstream.nextAttempt();
  const running = await ask(socket, 'chat:send', { content: 'x', model: 'sim/stall-mid:3' });
  await attempt;
  const waiting = await ask(socket, 'chat:send', { content: 'y', chatId: running.chatId, model: 'sim/echo' });
  await user.call('PATCH', `/api/chat/sessions/${String(running.chatId)}`, { systemPrompt: 'Speak Latin.' });
  const ended = nextEvent(socket, 'chat:end', ({ messageId }) => messageId === waiting.messageId);
  await user.call('POST', `/api/chat/messages/${String(running.messageId)}/stop`);
  await ended;
  expect(world.upstream.log.at(-1)?.messages[0]).toEqual({ role: 'system', content: 'Speak Latin.' });
});

test('a reply whose turn comes while the leases are renewed keeps its own, however late the database answers', async () => {
  const { world, user } = await open();
  const { messages } = world.node.container.stores;
  const [looked, answers] = [Promise.withResolvers<null>(), Promise.withResolvers<null>()];
  const renewLeases = messages.renewLeases.bind(messages);
  const socket = await user.connect();
  const running = await ask(socket, 'chat:send', { content: 'x', model: 'sim/stall-mid:3' });
  const waiting = await ask(socket, 'chat:send', { content: 'y', chatId: running.chatId, model: 'sim/stall-mid:3' });
  expect(waiting.status).toBe('queued');
  Object.assign(messages, {
    renewLeases: async (...given: Parameters<typeof renewLeases>) => {
      const held = await renewLeases(...given);
      looked.resolve(null);
      await answers.promise;
      return held;
    },
  });
  await looked.promise;
  const shown = nextEvent(socket, 'chat:delta', ({ messageId }) => messageId === waiting.messageId);
  await user.call('POST', `/api/chat/messages/${String(running.messageId)}/stop`);
  await shown;
  answers.resolve(null);
  const { body } = await user.call('POST', `/api/chat/messages/${String(waiting.messageId)}/stop`);
  expect(body).toMatchObject({ status: 'stopped', content: expect.stringMatching(/^word1/) });
});
