import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ask, nextEvent } from '../support/events.ts';
import { describeOnEachDatabase } from '../support/databases.ts';
import { connectRaw } from '../support/rawSocket.ts';
import { readEvents, textOf, type SseEvent } from '../support/sse.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

interface Outcome {
  readonly code: string | null;
  readonly status: string | null;
  readonly text: string | null;
  readonly model: string | null;
  readonly duplicate: boolean | null;
  /** The ids that the door told, as they are stored. */
  readonly ids: { readonly chatId: string; readonly userMessageId: string; readonly messageId: string } | null;
}

const refusal = (code: string): Outcome => ({
  code,
  status: null,
  text: null,
  model: null,
  duplicate: null,
  ids: null,
});

type Door = (user: TestUser, body: Record<string, unknown>) => Promise<Outcome>;

const json: Door = async (user, body) => {
  const answer = await user.call('POST', '/api/chat/message', { ...body, stream: false });
  if (answer.status !== 200 && !answer.body.messageId) return refusal(answer.body.code);
  if (answer.status !== 200) {
    const { chatId, userMessageId, messageId, code } = answer.body;
    const stored = await user.call('GET', `/api/chat/messages/${String(messageId)}`);
    return {
      code,
      status: stored.body.status,
      text: stored.body.content,
      model: null,
      duplicate: null,
      ids: { chatId, userMessageId, messageId },
    };
  }
  const { chat, userMessage, message, duplicate } = answer.body;
  const ids = { chatId: chat.id, userMessageId: userMessage.id, messageId: message.id };
  return { code: null, status: message.status, text: message.content, model: message.model, duplicate, ids };
};

const fromEvents = (events: readonly SseEvent[]): Outcome => {
  const { chatId, userMessageId, messageId } = events.find(({ event }) => event === 'start')?.data ?? {};
  const { status, model = null, error } = events.at(-1)?.data ?? {};
  return {
    code: error?.code ?? null,
    status,
    text: textOf(events),
    model,
    duplicate: null,
    ids: { chatId, userMessageId, messageId },
  };
};

const sse: Door = async (user, body) => {
  const probe = await fetch(`${user.url}/api/chat/message`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${user.accessToken}`,
      'Content-Type': 'application/json',
      Accept: 'text/event-stream',
    },
    body: JSON.stringify({ ...body, stream: true }),
  });
  if (probe.status !== 200) return refusal(((await probe.json()) as { code: string }).code);
  const events = [];
  for await (const event of readEvents(probe)) events.push(event);
  return fromEvents(events);
};

const socket: Door = async (user, body) => {
  const connection = await user.connect();
  const events: SseEvent[] = [];
  connection.onAny((name: string, data: unknown) =>
    events.push({ event: name.replace('chat:', ''), id: undefined, data }),
  );
  const last = Promise.race([nextEvent(connection, 'chat:end'), nextEvent(connection, 'chat:failed')]);
  const ack = await ask(connection, 'chat:send', body);
  if (!ack.ok) {
    connection.close();
    return refusal(ack.error.code);
  }
  if (ack.duplicate) await ask(connection, 'chat:resume', { messageId: ack.messageId, offset: 0 });
  await last;
  connection.close();
  const outcome = fromEvents(events.filter(({ data }) => data.messageId === ack.messageId));
  const ids = { chatId: ack.chatId, userMessageId: ack.userMessageId, messageId: ack.messageId };
  expect(outcome.ids).toEqual(ids);
  return { ...outcome, duplicate: ack.duplicate };
};

const raw: Door = async (user, body) => {
  const client = await connectRaw(user.url, { token: user.accessToken });
  const last = Promise.race([client.next('end'), client.next('failed')]);
  const ack = await client.ask({ type: 'message', ...body });
  if (ack.type === 'error') {
    client.close();
    return refusal(ack.error.code);
  }
  if (ack.duplicate) await client.ask({ type: 'resume', messageId: ack.messageId, offset: 0 });
  await last;
  client.close();
  const events = client.frames.map((data) => ({ event: String(data.type), id: undefined, data }));
  const isOfReply = ({ event, data }: SseEvent): boolean => data.messageId === ack.messageId && event !== 'ack';
  const outcome = fromEvents(events.filter(isOfReply));
  const ids = { chatId: ack.chatId, userMessageId: ack.userMessageId, messageId: ack.messageId };
  expect(outcome.ids).toEqual(ids);
  return { ...outcome, duplicate: ack.duplicate };
};

const DOORS: Readonly<Record<string, Door>> = { json, sse, socket, raw };

/** One request, and what every door must make of it. */
interface Case {
  readonly name: string;
  readonly body: Record<string, unknown>;
  readonly expected: Partial<Outcome>;
}

const MISSING = '01900000-0000-7000-8000-000000000000';

const CASES: readonly Case[] = [
  {
    name: 'a message',
    body: { content: 'Hello 👋🏽 wörld' },
    expected: { code: null, status: 'complete', text: 'Hello 👋🏽 wörld', model: 'sim/echo' },
  },
  {
    name: 'a picked model',
    body: { content: 'x', model: 'sim/words:3' },
    expected: { code: null, status: 'complete', model: 'sim/words:3' },
  },
  {
    name: 'a model that always fails',
    body: { content: 'x', model: 'sim/503' },
    expected: { code: 'LLM_UNAVAILABLE', status: 'failed', text: '' },
  },
  {
    name: 'a model that is cut',
    body: { content: 'x', model: 'sim/cut-after:2' },
    expected: { code: 'LLM_FAILED', status: 'failed' },
  },
  {
    name: 'a blank answer',
    body: { content: 'x', model: 'sim/empty' },
    expected: { code: 'LLM_FAILED', status: 'failed', text: '' },
  },
  { name: 'no content', body: {}, expected: refusal('VALIDATION_FAILED') },
  { name: 'empty content', body: { content: '' }, expected: refusal('VALIDATION_FAILED') },
  { name: 'content that is too long', body: { content: 'é'.repeat(8001) }, expected: refusal('VALIDATION_FAILED') },
  {
    name: 'content that no context holds',
    body: { content: '😀🎉'.repeat(4000) },
    expected: refusal('CONTEXT_TOO_LONG'),
  },
  { name: 'a lone surrogate', body: { content: 'a\ud800b' }, expected: refusal('VALIDATION_FAILED') },
  { name: 'content of another type', body: { content: { $ne: null } }, expected: refusal('VALIDATION_FAILED') },
  { name: 'an unknown field', body: { content: 'x', role: 'system' }, expected: refusal('VALIDATION_FAILED') },
  {
    name: 'a long clientMessageId',
    body: { content: 'x', clientMessageId: 'y'.repeat(65) },
    expected: refusal('VALIDATION_FAILED'),
  },
  {
    name: 'a parent without a chat',
    body: { content: 'x', parentId: MISSING },
    expected: refusal('VALIDATION_FAILED'),
  },
  { name: 'a missing chat', body: { content: 'x', chatId: MISSING }, expected: refusal('CHAT_NOT_FOUND') },
  { name: 'an id that is none', body: { content: 'x', chatId: 'x' }, expected: refusal('CHAT_NOT_FOUND') },
  {
    name: 'an unknown model',
    body: { content: 'x', model: 'nobody/nothing' },
    expected: refusal('MODEL_NOT_AVAILABLE'),
  },
  {
    name: 'a system prompt',
    body: { content: 'x', systemPrompt: 'Obey' },
    expected: refusal('SYSTEM_PROMPT_NOT_ALLOWED'),
  },
  { name: 'an unknown whenBusy', body: { content: 'x', whenBusy: 'shout' }, expected: refusal('VALIDATION_FAILED') },
];

await describeOnEachDatabase((database) => {
  let world: World;
  let user: TestUser;

  beforeAll(async () => {
    world = await startWorld({
      models: ['sim/echo', 'sim/words:3', 'sim/503', 'sim/cut-after:2', 'sim/empty'],
      env: database.env(),
    });
    user = await world.signUp();
  });
  afterAll(() => world.stop());

  describe.each(Object.entries(DOORS))('the %s door', (_name, door) => {
    test.each(CASES.map((item) => [item.name, item] as const))('%s', async (_caseName, { body, expected }) => {
      const wanted = body.model === undefined ? { ...body, ...(expected.status ? { model: 'sim/echo' } : {}) } : body;
      const outcome = await door(user, wanted);
      expect(outcome).toMatchObject(expected);
      if (!outcome.ids) return;
      const { body: reply } = await user.call('GET', `/api/chat/messages/${outcome.ids.messageId}`);
      expect(reply).toMatchObject({
        chatId: outcome.ids.chatId,
        parentId: outcome.ids.userMessageId,
        status: outcome.status,
        content: outcome.text,
      });
    });

    test('a message known from another door', async () => {
      const body = { content: 'known', clientMessageId: `known-${_name}`, model: 'sim/echo' };
      const first = await json(user, body);
      const again = await door(user, body);
      expect(again).toMatchObject({ code: null, status: 'complete', text: 'known', ids: first.ids });
      expect(await door(user, { ...body, content: 'other' })).toMatchObject(refusal('IDEMPOTENCY_CONFLICT'));
    });

    test('another user’s chat', async () => {
      const owner = await world.signUp();
      const { ids } = await json(owner, { content: 'mine', model: 'sim/echo' });
      expect(await door(user, { content: 'x', chatId: ids?.chatId })).toMatchObject(refusal('CHAT_NOT_FOUND'));
    });
  });

  test('the limit of sends counts over all doors together, and known messages not at all', async () => {
    const limited = await startWorld({
      models: ['sim/echo'],
      env: { ...database.env(), RATE_LIMIT_CHAT_PER_SECOND: '1' },
    });
    const someone = await limited.signUp();
    const outcomes = await Promise.all(
      [json, sse, socket, raw, json, sse, socket, raw].map((door, index) =>
        door(someone, { content: 'x', clientMessageId: `limit-${String(index)}` }),
      ),
    );
    const refused = outcomes.filter(({ code }) => code === 'RATE_LIMITED').length;
    expect(refused).toBeGreaterThanOrEqual(1);
    const known = outcomes.findIndex(({ code }) => code === null);
    const repeats = await Promise.all(
      Array.from({ length: 8 }, () => json(someone, { content: 'x', clientMessageId: `limit-${String(known)}` })),
    );
    expect(repeats.map(({ code, ids }) => [code, ids])).toEqual(repeats.map(() => [null, outcomes[known]?.ids]));
    await limited.stop();
  });
});
