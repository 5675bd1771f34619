import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId } from '../../src/lib/ids.ts';
import { ask } from '../support/events.ts';
import { readEvents } from '../support/sse.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

/** What became of a request that begins a reply: the code of its refusal, or what it made. */
type Outcome =
  | { readonly code: string }
  | { readonly status: string; readonly ids: { chatId: string; userMessageId: string; messageId: string } };

/** One thing that can be asked for at every door. */
interface Target {
  readonly method: string;
  readonly path: string;
  readonly event: string;
  /** What the event has in its payload and REST in its path. */
  readonly named: object;
}

type Door = (user: TestUser, target: Target, body: object) => Promise<Outcome>;

const json: Door = async (user, { method, path }, body) => {
  const { status, body: answer } = await user.call(method, path, { ...body, stream: false });
  if (status !== 200) return { code: String(answer.code) };
  const { chat, userMessage, message } = answer;
  return { status: message.status, ids: { chatId: chat.id, userMessageId: userMessage.id, messageId: message.id } };
};

const sse: Door = async (user, { method, path }, body) => {
  const response = await fetch(`${user.url}${path}`, {
    method,
    headers: { Authorization: `Bearer ${user.accessToken}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ ...body, stream: true }),
  });
  if (response.status !== 200) return { code: ((await response.json()) as { code: string }).code };
  const events = [];
  for await (const event of readEvents(response)) events.push(event);
  const { chatId, userMessageId, messageId } = events.find(({ event }) => event === 'start')?.data ?? {};
  return { status: events.at(-1)?.data.status, ids: { chatId, userMessageId, messageId } };
};

const socket: Door = async (user, { event, named }, body) => {
  const connection = await user.connect();
  const last = new Map<string, string>();
  for (const name of ['chat:end', 'chat:failed']) {
    connection.on(name, ({ messageId, status }) => last.set(messageId, status));
  }
  const ack = await ask(connection, event, { ...named, ...body });
  if (!ack.ok) return { code: ack.error.code };
  const { chatId, userMessageId, messageId } = ack;
  if (ack.duplicate) await ask(connection, 'chat:resume', { messageId, offset: 0 });
  const status = await waitFor(() => last.get(messageId));
  connection.close();
  return { status, ids: { chatId, userMessageId, messageId } };
};

const DOORS: Readonly<Record<string, Door>> = { json, sse, socket };

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await startWorld({ models: ['sim/echo', 'sim/stall-mid:3'] });
  user = await world.signUp();
});
afterAll(() => world.stop());

/** A chat with one question and its reply. */
interface Subject {
  readonly chatId: string;
  readonly userMessageId: string;
  readonly messageId: string;
}

interface Kind {
  readonly target: (subject: Subject) => Target;
  readonly body: (subject: Subject) => object;
}

const aboutMessage = (method: string, path: string, event: string) => (messageId: string) => ({
  method,
  path: `/api/chat/messages/${messageId}${path}`,
  event,
  named: { messageId },
});
const regenerating = aboutMessage('POST', '/regenerate', 'chat:regenerate');
const editing = aboutMessage('PATCH', '', 'chat:edit');

const KINDS: Readonly<Record<string, Kind>> = {
  send: {
    target: () => ({ method: 'POST', path: '/api/chat/message', event: 'chat:send', named: {} }),
    body: ({ chatId }) => ({ content: 'more', chatId }),
  },
  regenerate: { target: ({ messageId }) => regenerating(messageId), body: () => ({}) },
  edit: { target: ({ userMessageId }) => editing(userMessageId), body: () => ({ content: 'in other words' }) },
};

const subject = async (): Promise<Subject> => {
  const { body } = await user.call('POST', '/api/chat/message', { content: 'question', model: 'sim/echo' });
  return { chatId: body.chat.id, userMessageId: body.userMessage.id, messageId: body.message.id };
};

/** Lets a reply run in the chat until it is stopped. */
const occupy = async (chatId: string): Promise<{ stop: () => Promise<string>; replyId: string }> => {
  const attempt = world.upstream.nextAttempt();
  const running = user.call('POST', '/api/chat/message', { content: 'stall', chatId, model: 'sim/stall-mid:3' });
  await attempt;
  const { body: chat } = await user.call('GET', `/api/chat/sessions/${chatId}`);
  const replyId = String(chat.activeLeafId);
  return {
    replyId,
    stop: async () => {
      await user.call('POST', `/api/chat/messages/${replyId}/stop`);
      return String((await running).body.message.status);
    },
  };
};

const statuses = async (chatId: string): Promise<string[]> => {
  const { body } = await user.call('GET', `/api/chat/history?chatId=${chatId}&all=true`);
  return body.items.map(({ status }: { status: string }) => status);
};

describe.each(Object.entries(DOORS))('the %s door', (doorName, door) => {
  describe.each(Object.entries(KINDS))('%s', (kindName, kind) => {
    const request = (about: Subject, extra: object = {}) =>
      door(user, kind.target(about), { model: 'sim/echo', ...kind.body(about), ...extra });

    test('into an idle chat, is answered, and the ids told are those stored', async () => {
      const about = await subject();
      const outcome = await request(about);
      expect(outcome).toEqual({
        status: 'complete',
        ids: { chatId: about.chatId, userMessageId: expect.any(String), messageId: expect.any(String) },
      });
      if (!('ids' in outcome)) return;
      const { body } = await user.call('GET', `/api/chat/messages/${outcome.ids.messageId}`);
      expect(body).toMatchObject({ chatId: about.chatId, parentId: outcome.ids.userMessageId, status: 'complete' });
      const { body: chat } = await user.call('GET', `/api/chat/sessions/${about.chatId}`);
      expect(chat.activeLeafId).toBe(outcome.ids.messageId);
    });

    test('into a busy chat, waits for its turn', async () => {
      const about = await subject();
      const running = await occupy(about.chatId);
      const waiting = request(about);
      await waitFor(async () => (await statuses(about.chatId)).includes('queued'));
      expect(await running.stop()).toBe('stopped');
      expect(await waiting).toMatchObject({ status: 'complete' });
    });

    test('into a busy chat, with reject, is refused and nothing is stored', async () => {
      const about = await subject();
      const running = await occupy(about.chatId);
      expect(await request(about, { whenBusy: 'reject' })).toEqual({ code: 'CHAT_BUSY' });
      expect(await statuses(about.chatId)).toHaveLength(4);
      await running.stop();
    });

    test('into a busy chat, with interrupt, stops what runs', async () => {
      const about = await subject();
      const running = await occupy(about.chatId);
      expect(await request(about, { whenBusy: 'interrupt' })).toMatchObject({ status: 'complete' });
      expect(await running.stop()).toBe('stopped');
    });

    test('into a chat where three wait already, is refused', async () => {
      const about = await subject();
      const running = await occupy(about.chatId);
      const items = [1, 2, 3].map((n) => ({ content: String(n), chatId: about.chatId, model: 'sim/echo' }));
      await user.call('POST', '/api/chat/batch', { items });
      expect(await request(about)).toEqual({ code: 'CHAT_BUSY' });
      await running.stop();
      await waitFor(async () => (await statuses(about.chatId)).every((status) => /complete|stopped/.test(status)));
    });

    test('known from another door, is the first one; another kind under its id is a conflict', async () => {
      const about = await subject();
      const clientMessageId = `${doorName}-${kindName}`;
      const body = { model: 'sim/echo', ...kind.body(about), clientMessageId };
      const first = await json(user, kind.target(about), body);
      const calls = world.upstream.log.length;
      expect(await request(about, { clientMessageId })).toEqual(first);
      expect(world.upstream.log.length).toBe(calls);
      const others = Object.entries(KINDS).filter(([name]) => name !== kindName);
      for (const [, other] of others) {
        const wanted = { ...other.body(about), clientMessageId };
        expect(await door(user, other.target(about), wanted)).toEqual({ code: 'IDEMPOTENCY_CONFLICT' });
      }
    });

    test.each([
      ['an unknown field', { role: 'system' }, 'VALIDATION_FAILED'],
      ['an unknown whenBusy', { whenBusy: 'shout' }, 'VALIDATION_FAILED'],
      ['a long clientMessageId', { clientMessageId: 'y'.repeat(65) }, 'VALIDATION_FAILED'],
      ['an unknown model', { model: 'no/such' }, 'MODEL_NOT_AVAILABLE'],
    ])('with %s, is refused', async (_name, extra, code) => {
      expect(await request(await subject(), extra)).toEqual({ code });
    });
  });

  test('what is missing, foreign or of the wrong kind, is refused', async () => {
    const about = await subject();
    const stranger = await world.signUp();
    for (const target of [regenerating, editing]) {
      const body = target === editing ? { content: 'x' } : {};
      expect(await door(user, target(newId()), body)).toEqual({ code: 'MESSAGE_NOT_FOUND' });
      expect(await door(stranger, target(about.userMessageId), body)).toEqual({ code: 'MESSAGE_NOT_FOUND' });
    }
    expect(await door(user, editing(about.messageId), { content: 'x' })).toEqual({ code: 'VALIDATION_FAILED' });
  });
});

test('the limit of sends counts all that begins a reply, over all doors together', async () => {
  const limited = await startWorld({ models: ['sim/echo'], env: { RATE_LIMIT_CHAT_PER_SECOND: '1' } });
  const someone = await limited.signUp();
  const { body } = await someone.call('POST', '/api/chat/message', { content: 'x' });
  const about = { chatId: body.chat.id, userMessageId: body.userMessage.id, messageId: body.message.id };
  const requests = Object.values(DOORS).flatMap((door) =>
    Object.values(KINDS).map((kind) => door(someone, kind.target(about), kind.body(about))),
  );
  const codes = (await Promise.all(requests)).map((outcome) => ('code' in outcome ? outcome.code : 'ok'));
  expect(codes.filter((code) => code === 'RATE_LIMITED').length).toBeGreaterThanOrEqual(1);
  expect(codes.filter((code) => !['ok', 'RATE_LIMITED', 'CHAT_BUSY'].includes(code))).toEqual([]);
  await limited.stop();
});

test('a batch, sent over REST and again over a socket, has the same ids and error codes', async () => {
  const { chatId } = await subject();
  const items = [
    { content: 'one', clientMessageId: 'parity-1', chatId, model: 'sim/echo' },
    { content: '', clientMessageId: 'parity-2' },
    { content: 'three', clientMessageId: 'parity-3', chatId: newId() },
    { content: 'four', clientMessageId: 'parity-4', chatOf: 'parity-3' },
  ];
  const essence = ({ results }: { results: { messageId?: string; error?: { code: string } }[] }) =>
    results.map(({ messageId, error }) => messageId ?? error?.code);
  const overRest = await user.call('POST', '/api/chat/batch', { items });
  const connection = await user.connect();
  const overSocket = await ask(connection, 'chat:batch', { items });
  expect(overSocket.results[0].duplicate).toBe(true);
  expect(essence(overSocket)).toEqual(essence(overRest.body));
  expect(essence(overRest.body).slice(1)).toEqual(['VALIDATION_FAILED', 'CHAT_NOT_FOUND', 'CHAT_NOT_FOUND']);
  const refused = await ask(connection, 'chat:batch', { items: [] });
  const refusedOverRest = await user.call('POST', '/api/chat/batch', { items: [] });
  expect(refused.error.code).toBe(refusedOverRest.body.code);
});
