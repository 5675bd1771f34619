import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { replyEventSchema } from '../../src/schemas/events.ts';
import { textOf } from '../support/sse.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await startWorld({
    models: ['sim/echo', 'sim/words:30', 'sim/500', 'sim/slow:15', 'sim/cut-after:3', 'sim/stall-mid:3'],
  });
  user = await world.signUp();
});
afterAll(() => world.stop());

const send = (body: object) => user.call('POST', '/api/chat/message', { model: 'sim/echo', ...body });

describe('POST /api/chat/message as JSON', () => {
  test('a first message, sent, makes a chat and answers with the final reply', async () => {
    const { status, body } = await send({ content: 'Hello there' });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      chat: { title: 'Hello there', messageCount: 2, activeLeafId: body.message.id, lastMessagePreview: 'Hello there' },
      userMessage: { role: 'user', seq: 1, parentId: null, content: 'Hello there', status: 'complete' },
      message: {
        role: 'assistant',
        seq: 2,
        parentId: body.userMessage.id,
        content: 'Hello there',
        status: 'complete',
        model: 'sim/echo',
        finishReason: 'stop',
      },
      duplicate: false,
    });
    expect(body.message.usage.totalTokens).toBeGreaterThan(0);
    expect(body.message.latencyMs.total).toBeGreaterThanOrEqual(body.message.latencyMs.firstToken);
    expect(body.userMessage.clientMessageId).toEqual(expect.any(String));
  });

  test('a second message, sent into the chat, shows the model the whole turn before it', async () => {
    const first = await send({ content: 'My name is Ada' });
    const before = world.upstream.log.length;
    await send({ content: 'What is it?', chatId: first.body.chat.id });
    expect(world.upstream.log[before]?.messages).toEqual([
      { role: 'system', content: 'You are a helpful assistant.' },
      { role: 'user', content: 'My name is Ada' },
      { role: 'assistant', content: 'My name is Ada' },
      { role: 'user', content: 'What is it?' },
    ]);
  });

  test('the same clientMessageId, sent again and over another door, answers with the first send and calls no model', async () => {
    const first = await send({ content: 'once', clientMessageId: 'id-1' });
    const calls = world.upstream.log.length;
    const again = await send({ content: 'once', clientMessageId: 'id-1' });
    const byHeader = await user.call(
      'POST',
      '/api/chat/message',
      { content: 'once' },
      { headers: { 'Idempotency-Key': 'id-1' } },
    );
    const events = await user.stream('/api/chat/message', { content: 'once', clientMessageId: 'id-1' });
    for (const answer of [again, byHeader]) {
      expect(answer.body.duplicate).toBe(true);
      expect(answer.body.message).toEqual(first.body.message);
      expect(answer.body.userMessage).toEqual(first.body.userMessage);
    }
    expect(events.at(-1)).toMatchObject({ event: 'end', data: { messageId: first.body.message.id } });
    expect(world.upstream.log.length).toBe(calls);
  });

  test('another content under a used clientMessageId is refused with 409', async () => {
    await send({ content: 'one', clientMessageId: 'id-2' });
    const other = await send({ content: 'two', clientMessageId: 'id-2' });
    expect(other).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_CONFLICT' } });
    const disagreeing = await user.call(
      'POST',
      '/api/chat/message',
      { content: 'one', clientMessageId: 'a' },
      { headers: { 'Idempotency-Key': 'b' } },
    );
    expect(disagreeing).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED', errors: [{ path: 'clientMessageId' }] },
    });
  });

  test('fifty copies of one message, sent at once, are one message and one call', async () => {
    const calls = world.upstream.log.length;
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => send({ content: 'burst', clientMessageId: 'id-3' })),
    );
    expect(new Set(answers.map(({ body }) => body.message.id)).size).toBe(1);
    expect(answers.filter(({ body }) => !body.duplicate)).toHaveLength(1);
    expect(answers.every(({ body }) => body.message.content === 'burst')).toBe(true);
    expect(world.upstream.log.length).toBe(calls + 1);
  });

  test('a model that fails every time leads to a problem that names what is stored', async () => {
    const { status, headers, body } = await send({ content: 'x', model: 'sim/500' });
    expect(status).toBe(503);
    expect(headers.get('content-type')).toMatch('application/problem+json');
    expect(body).toMatchObject({
      code: 'LLM_UNAVAILABLE',
      chatId: expect.any(String),
      userMessageId: expect.any(String),
    });
    const message = await user.call('GET', `/api/chat/messages/${String(body.messageId)}`);
    expect(message.body).toMatchObject({ status: 'failed', error: { code: 'LLM_UNAVAILABLE' } });
  });

  test('an answer that is cut keeps its text and is marked as failed', async () => {
    const { status, body } = await send({ content: 'x', model: 'sim/cut-after:3' });
    expect(status).toBe(502);
    expect(body.code).toBe('LLM_FAILED');
    const message = await user.call('GET', `/api/chat/messages/${String(body.messageId)}`);
    expect(message.body.status).toBe('failed');
    expect(message.body.content.split(' ')).toHaveLength(3);
  });
});

describe('POST /api/chat/message as an event stream', () => {
  test('a message, streamed, tells start, deltas that make up the stored text, and end, with ids as documented', async () => {
    const events = await user.stream('/api/chat/message', { content: 'x', model: 'sim/words:30' });
    const messageId = String(events[0]?.data.messageId);
    expect(events.map(({ event }) => event).filter((name) => name !== 'delta')).toEqual(['start', 'end']);
    for (const { data } of events) expect(replyEventSchema.safeParse(data).error).toBeUndefined();
    const stored = await user.call('GET', `/api/chat/messages/${messageId}`);
    expect(textOf(events)).toBe(stored.body.content);
    let length = 0;
    for (const { event, id, data } of events) {
      if (event === 'delta') length += data.text.length;
      expect(id).toBe(`${messageId}:${String(length)}${event === 'end' ? ':end' : ''}`);
    }
    expect(events.at(-1)?.data).toMatchObject({
      status: 'complete',
      length,
      model: 'sim/words:30',
      finishReason: 'stop',
    });
  });

  test('a reply, followed again from an offset or a Last-Event-ID, gives exactly what is missing', async () => {
    const events = await user.stream('/api/chat/message', { content: 'x', model: 'sim/slow:15' });
    const text = textOf(events);
    const path = `/api/chat/messages/${String(events[0]?.data.messageId)}/stream`;
    const fromStart = await user.stream(path);
    expect(textOf(fromStart)).toBe(text);
    expect(fromStart[0]?.event).toBe('start');
    const fromFive = await user.stream(`${path}?offset=5`);
    expect(fromFive.map(({ event }) => event)).toEqual(['delta', 'end']);
    expect(fromFive[0]?.data).toMatchObject({ offset: 5, text: text.slice(5) });
    const afterId = await user.stream(`${path}?offset=0`, undefined, {
      headers: { 'Last-Event-ID': String(events[2]?.id) },
    });
    const held = textOf(events.slice(0, 3)).length;
    expect(afterId[0]?.data).toMatchObject({ offset: held, text: text.slice(held) });
    const ended = await user.call('GET', path, undefined, {
      headers: { 'Last-Event-ID': String(events.at(-1)?.id), Accept: 'text/event-stream' },
    });
    expect(ended.status).toBe(204);
  });

  test('a client that leaves in the midst does not end the generation', async () => {
    const gone = new AbortController();
    const response = await fetch(`${world.url}/api/chat/message`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${user.accessToken}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ content: 'x', model: 'sim/slow:15', stream: true }),
      signal: gone.signal,
    });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let seen = '';
    while (!seen.includes('event: delta')) seen += (await reader?.read())?.value ?? '';
    gone.abort();
    const messageId = /"messageId":"([^"]+)"/.exec(seen)?.[1] ?? '';
    const events = await user.stream(`/api/chat/messages/${messageId}/stream`);
    expect(events.at(-1)).toMatchObject({ event: 'end', data: { status: 'complete' } });
  });
});

describe('POST /api/chat/messages/:id/stop', () => {
  test('a running reply, stopped, keeps its text, ends for followers and closes the upstream connection', async () => {
    const attempt = world.upstream.nextAttempt();
    const streamed = user.stream('/api/chat/message', {
      content: 'x',
      model: 'sim/stall-mid:3',
      clientMessageId: 'stop-1',
    });
    await attempt;
    const list = await user.call('GET', '/api/chat/sessions?limit=1');
    const messageId = String(list.body.items[0].activeLeafId);
    const { status, body } = await user.call('POST', `/api/chat/messages/${messageId}/stop`);
    expect(status).toBe(200);
    expect(body.status).toBe('stopped');
    const events = await streamed;
    expect(events.at(-1)).toMatchObject({ event: 'end', data: { status: 'stopped', length: body.content.length } });
    expect(textOf(events)).toBe(body.content);
    await (
      await attempt
    ).settled;
    expect((await attempt).abortedAt).not.toBeNull();
    const again = await user.call('POST', `/api/chat/messages/${messageId}/stop`);
    expect(again).toMatchObject({ status: 200, body: { status: 'stopped', rev: body.rev } });
  });
});

describe('two messages in one chat', () => {
  test('the second, sent while the first is answered, waits, and sees the first answer', async () => {
    const first = await send({ content: 'zero' });
    const chatId = String(first.body.chat.id);
    const before = world.upstream.log.length;
    const [a, b] = await Promise.all([
      user.call('POST', '/api/chat/message', { content: 'one', chatId, model: 'sim/slow:15' }),
      user.call('POST', '/api/chat/message', { content: 'two', chatId, model: 'sim/slow:15' }),
    ]);
    expect([a.status, b.status]).toEqual([200, 200]);
    const later = a.body.userMessage.seq > b.body.userMessage.seq ? a : b;
    const sooner = later === a ? b : a;
    expect(later.body.userMessage.parentId).toBe(sooner.body.message.id);
    const calls = world.upstream.log.slice(before);
    expect(calls).toHaveLength(2);
    expect(calls[1]?.messages.slice(1).map(({ content }) => content)).toEqual([
      'zero',
      'zero',
      sooner.body.userMessage.content,
      sooner.body.message.content,
      later.body.userMessage.content,
    ]);
  });

  test('with whenBusy reject the second is refused with 409 and not stored', async () => {
    const first = await send({ content: 'zero' });
    const chatId = String(first.body.chat.id);
    const attempt = world.upstream.nextAttempt();
    const slow = user.call('POST', '/api/chat/message', { content: 'one', chatId, model: 'sim/slow:15' });
    await attempt;
    const refused = await send({ content: 'two', chatId, whenBusy: 'reject' });
    expect(refused).toMatchObject({ status: 409, body: { code: 'CHAT_BUSY', retryable: true } });
    await slow;
    const { body } = await user.call('GET', `/api/chat/sessions/${chatId}/messages`);
    expect(body.items).toHaveLength(4);
  });

  test('with whenBusy interrupt the first is stopped and the second answered at once', async () => {
    const first = await send({ content: 'zero' });
    const chatId = String(first.body.chat.id);
    const attempt = world.upstream.nextAttempt();
    const stalled = user.call('POST', '/api/chat/message', { content: 'one', chatId, model: 'sim/stall-mid:3' });
    await attempt;
    const second = await send({ content: 'two', chatId, whenBusy: 'interrupt' });
    expect(second.body.message).toMatchObject({ status: 'complete', content: 'two' });
    expect((await stalled).body.message.status).toBe('stopped');
  });
});

describe('RESPONSE_WAIT', () => {
  test('a reply that is not final in time is a 202 with the address of its stream', async () => {
    const slow = await startWorld({ models: ['sim/slow:15'], env: { RESPONSE_WAIT: '100ms' } });
    const someone = await slow.signUp();
    const { status, headers, body } = await someone.call('POST', '/api/chat/message', { content: 'x' });
    expect(status).toBe(202);
    expect(headers.get('location')).toBe(`/api/chat/messages/${String(body.message.id)}/stream`);
    expect(['pending', 'streaming']).toContain(body.message.status);
    const events = await someone.stream(String(headers.get('location')));
    expect(events.at(-1)).toMatchObject({ event: 'end', data: { status: 'complete' } });
    await slow.stop();
  });
});

describe('the context cache', () => {
  test('a steady chat reads the database about zero times per message', async () => {
    const { metrics } = world.node.container;
    const first = await send({ content: 'm0' });
    const before = await world.storeReads();
    for (let index = 1; index <= 20; index += 1) {
      await send({
        content: `m${String(index)}`,
        chatId: first.body.chat.id,
        clientMessageId: `steady-${String(index)}`,
      });
    }
    expect(await world.storeReads()).toBe(before);
    expect(await metrics.value('context_cache_lookups_total', { result: 'hit' })).toBeGreaterThanOrEqual(20);
    expect(world.node.container.context.stats().bytes).toBeGreaterThan(0);
  });
});
