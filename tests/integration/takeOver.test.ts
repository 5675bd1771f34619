import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { hearOfEnds, leaveTurn } from '../support/deadNode.ts';
import { describeOnEachDatabase } from '../support/databases.ts';
import { connectRaw } from '../support/rawSocket.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

/** Milliseconds that the dead node's lease still has when the message is sent again. */
const LEASE_LEFT_MS = 1_500;

await describeOnEachDatabase((database) => {
  let world: World;
  let user: TestUser;

  beforeAll(async () => {
    world = await startWorld({ models: ['sim/echo'], env: database.env() });
    user = await world.signUp();
  });
  afterAll(() => world.stop());

  /** A turn as a node stored it that died before it asked a model, and whose lease has not ended yet. */
  const left = async (content: string, leftMs = LEASE_LEFT_MS) => {
    const leaseUntil = new Date(Date.now() + leftMs);
    const { stores } = world.node.container;
    const { clientMessageId, turn } = await leaveTurn(stores, user.id, { content, leaseUntil });
    return { messageId: String(turn?.reply.id), body: { content, clientMessageId } };
  };
  const callsFor = (content: string): number =>
    world.upstream.log.filter(({ messages }) => messages.at(-1)?.content === content).length;
  const stored = async (messageId: string) => (await user.call('GET', `/api/chat/messages/${messageId}`)).body;

  describe('a reply that no model was asked for when its node died', () => {
    test('is generated for the first retry, at each door', async () => {
      const [json, sse, live] = [await left('over JSON'), await left('over SSE'), await left('over a socket')];
      const socket = await user.connect();
      const ends: { messageId: string; length: number; status: string }[] = [];
      let text = '';
      socket.on('chat:delta', (delta: { messageId: string; offset: number; text: string }) => {
        if (delta.messageId === live.messageId) text = text.slice(0, delta.offset) + delta.text;
      });
      socket.on('chat:end', (end: (typeof ends)[number]) => ends.push(end));
      socket.on('chat:failed', (end: (typeof ends)[number]) => ends.push(end));

      const [answer, events, ack] = await Promise.all([
        user.call('POST', '/api/chat/message', json.body),
        user.stream('/api/chat/message', { ...sse.body, stream: true }),
        socket.emitWithAck('chat:send', live.body),
      ]);
      expect(answer).toMatchObject({
        status: 200,
        body: { duplicate: true, message: { id: json.messageId, status: 'complete', content: 'over JSON' } },
      });
      expect(events[0]).toMatchObject({ event: 'start', data: { messageId: sse.messageId } });
      expect(events.at(-1)).toMatchObject({ event: 'end', data: { status: 'complete', length: 'over SSE'.length } });
      expect(events.map(({ data }) => String(data.text ?? '')).join('')).toBe('over SSE');
      expect(ack).toMatchObject({ ok: true, messageId: live.messageId, duplicate: true });
      const end = await waitFor(() => ends.find(({ messageId }) => messageId === live.messageId));
      expect(end).toMatchObject({ status: 'complete', length: 'over a socket'.length });
      expect(text).toBe('over a socket');
      for (const { body } of [json, sse, live]) expect(callsFor(body.content)).toBe(1);
    });

    test('is generated for the first retry over a raw WebSocket', async () => {
      const { messageId, body } = await left('over a raw one');
      const raw = await connectRaw(world.url, { token: user.accessToken });
      const ack = await raw.ask({ type: 'message', ...body });
      expect(ack).toMatchObject({ ok: true, messageId, duplicate: true });
      const end = await waitFor(() => raw.frames.find(({ type, messageId: id }) => type === 'end' && id === messageId));
      expect(end).toMatchObject({ status: 'complete', length: 'over a raw one'.length });
      const deltas = raw.frames.filter(({ type, messageId: id }) => type === 'delta' && id === messageId);
      expect(deltas.map(({ text }) => text).join('')).toBe('over a raw one');
      expect(callsFor('over a raw one')).toBe(1);
      raw.close();
    });

    test('is generated once, however many retry, and not before its lease has ended', async () => {
      const { messageId, body } = await left('asked by many');
      const attempt = world.upstream.nextAttempt().then(() => Date.now());
      const endsAt = (await world.node.container.stores.messages.findMessage(user.id, messageId))?.lease?.until;
      const answers = await Promise.all(Array.from({ length: 20 }, () => user.call('POST', '/api/chat/message', body)));
      for (const { body: answer } of answers) expect(answer.message.content).toBe('asked by many');
      expect(await attempt).toBeGreaterThanOrEqual(endsAt?.getTime() ?? Infinity);
      expect(callsFor('asked by many')).toBe(1);
    });

    test('and who resumes it over a socket while it waits, gets it too', async () => {
      const { messageId, body } = await left('resumed', 2 * LEASE_LEFT_MS);
      const answer = user.call('POST', '/api/chat/message', body);
      const socket = await user.connect();
      const { promise: ended, resolve } = Promise.withResolvers<{ status: string }>();
      socket.on('chat:end', (end: { messageId: string; status: string }) => {
        if (end.messageId === messageId) resolve(end);
      });
      expect(await socket.emitWithAck('chat:resume', { messageId, offset: 0 })).toMatchObject({ ok: true, length: 0 });
      expect(await ended).toMatchObject({ status: 'complete' });
      expect((await answer).body.message.content).toBe('resumed');
    });

    test('without a retry is interrupted, and starts on a later one', async () => {
      const ended = await hearOfEnds(user);
      const { messageId, body } = await left('left alone', 0);
      await ended(messageId);
      expect((await stored(messageId)).status).toBe('interrupted');
      expect(callsFor('left alone')).toBe(0);
      const { body: answer } = await user.call('POST', '/api/chat/message', body);
      expect(answer.message).toMatchObject({ id: messageId, status: 'complete', content: 'left alone' });
    });

    test('stopped while a retry waits for it, is stopped for the retry', async () => {
      const { messageId, body } = await left('stopped', 60_000);
      const answer = user.call('POST', '/api/chat/message', body);
      await user.call('POST', `/api/chat/messages/${messageId}/stop`);
      expect((await answer).body.message).toMatchObject({ status: 'stopped', content: '' });
      expect(callsFor('stopped')).toBe(0);
    });
  });

  test('a reply that its node does start, is that node’s: the retry gets its text and asks no model', async () => {
    const { messageId, body } = await left('started elsewhere', 60_000);
    const { messages } = world.node.container.stores;
    const answer = user.call('POST', '/api/chat/message', body);
    expect(await messages.startReply(user.id, messageId, 'sim/echo', { at: new Date() })).toBe(true);
    await messages.appendLog([{ ownerId: user.id, messageId, offset: 0, text: 'from there' }]);
    await messages.settleReply(user.id, messageId, {
      status: 'complete',
      content: 'from there',
      model: 'sim/echo',
      finishReason: 'stop',
      usage: null,
      latencyMs: null,
      segments: null,
      error: null,
      preview: 'from there',
      at: new Date(),
    });
    expect((await answer).body.message).toMatchObject({ status: 'complete', content: 'from there' });
    expect(callsFor('started elsewhere')).toBe(0);
  });
});
