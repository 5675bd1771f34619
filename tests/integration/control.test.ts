import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId } from '../../src/lib/ids.ts';
import { DEAD_NODE, hearOfEnds, leaveTurn } from '../support/deadNode.ts';
import { describeOnEachDatabase } from '../support/databases.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

const MODELS = ['sim/echo', 'sim/words:3', 'sim/stall-mid:3'];
const ids = (body: { items: { id: string }[] }): string[] => body.items.map(({ id }) => id);

await describeOnEachDatabase((database) => {
  let world: World;
  let user: TestUser;

  beforeAll(async () => {
    world = await startWorld({ models: MODELS, env: database.env() });
    user = await world.signUp();
  });
  afterAll(() => world.stop());

  const send = async (content: string, fields: object = {}, model = 'sim/echo') =>
    (await user.call('POST', '/api/chat/message', { content, model, ...fields })).body;
  const history = async (chatId: string, query = '') =>
    (await user.call('GET', `/api/chat/history?chatId=${chatId}${query}`)).body;
  const chatOf = async (chatId: string) => (await user.call('GET', `/api/chat/sessions/${chatId}`)).body;
  const control = (method: string, id: string, what = '', body?: object) =>
    user.call(method, `/api/chat/messages/${id}${what}`, body);
  /** What the model was shown in the calls since, without the system prompt. */
  const shownSince = (calls: number): string[][] =>
    world.upstream.log.slice(calls).map(({ messages }) => messages.slice(1).map(({ content }) => content));
  /** A reply that runs until it is stopped, and the request that waits for it. */
  const stalled = async (fields: object = {}) => {
    const attempt = world.upstream.nextAttempt();
    const answer = user.call('POST', '/api/chat/message', { content: 'stall', model: 'sim/stall-mid:3', ...fields });
    const { messages } = await attempt;
    expect(messages.at(-1)?.content).toBe('stall');
    const { items } = (await user.call('GET', '/api/chat/sessions?limit=1')).body;
    return { answer, attempt: await attempt, chatId: String(items[0].id), replyId: String(items[0].activeLeafId) };
  };

  describe('regenerate', () => {
    test('a reply, regenerated, gets a sibling, asked with the same context, which is the branch shown', async () => {
      const first = await send('one');
      const second = await send('two', { chatId: first.chat.id });
      const calls = world.upstream.log.length;
      const { status, body } = await control('POST', first.message.id, '/regenerate', { model: 'sim/words:3' });
      expect(status).toBe(200);
      expect(body).toMatchObject({
        chat: { activeLeafId: body.message.id, messageCount: 5, lastMessagePreview: body.message.content },
        userMessage: { id: first.userMessage.id, content: 'one' },
        message: { parentId: first.userMessage.id, seq: 5, status: 'complete', model: 'sim/words:3' },
        duplicate: false,
      });
      expect(body.message.siblings).toEqual([first.message.id, body.message.id]);
      expect(body.userMessage).not.toHaveProperty('siblings');
      expect(shownSince(calls)).toEqual([['one']]);
      const shown = await history(first.chat.id);
      expect(ids(shown)).toEqual([first.userMessage.id, body.message.id]);
      expect(shown.items[1].siblings).toEqual(body.message.siblings);
      expect((await history(first.chat.id, '&all=true')).items).toHaveLength(5);
      expect((await control('GET', second.message.id)).body.parentId).toBe(second.userMessage.id);
    });

    test('a question, whose reply was deleted, is answered again', async () => {
      const { userMessage, message } = await send('lonely');
      await control('DELETE', message.id);
      const { status, body } = await control('POST', userMessage.id, '/regenerate', { model: 'sim/echo' });
      expect([status, body.message.parentId]).toEqual([200, userMessage.id]);
      expect(body.message).not.toHaveProperty('siblings');
    });

    test('the same id again is the first one, and none of another kind', async () => {
      const { message } = await send('again', { clientMessageId: 'sent-1' });
      const body = { clientMessageId: 'regenerated-1', model: 'sim/echo' };
      const first = await control('POST', message.id, '/regenerate', body);
      const calls = world.upstream.log.length;
      const repeats = await Promise.all(
        Array.from({ length: 10 }, () => control('POST', message.id, '/regenerate', body)),
      );
      for (const repeat of repeats) {
        expect(repeat.body).toMatchObject({ duplicate: true, message: { id: first.body.message.id } });
      }
      expect(world.upstream.log.length).toBe(calls);
      const conflict = { status: 409, body: { code: 'IDEMPOTENCY_CONFLICT' } };
      const known = { clientMessageId: 'sent-1' };
      expect(await control('POST', message.id, '/regenerate', known)).toMatchObject(conflict);
      expect(await control('POST', first.body.message.id, '/regenerate', body)).toMatchObject(conflict);
      const other = { content: 'again', clientMessageId: 'regenerated-1' };
      expect(await user.call('POST', '/api/chat/message', other)).toMatchObject(conflict);
    });

    test('what is missing or foreign, or an unknown model, is refused', async () => {
      const { message } = await send('mine');
      const stranger = await world.signUp();
      const path = `/api/chat/messages/${String(message.id)}/regenerate`;
      const missing = { status: 404, body: { code: 'MESSAGE_NOT_FOUND' } };
      expect(await stranger.call('POST', path, {})).toMatchObject(missing);
      expect(await control('POST', newId(), '/regenerate', {})).toMatchObject(missing);
      expect(await control('POST', message.id, '/regenerate', { model: 'no/such' })).toMatchObject({
        status: 400,
        body: { code: 'MODEL_NOT_AVAILABLE' },
      });
      expect(await control('POST', message.id, '/regenerate', { content: 'x' })).toMatchObject({ status: 400 });
    });
  });

  describe('edit', () => {
    test('a question, edited, is a sibling with a reply of its own; the old branch stays', async () => {
      const first = await send('one');
      const second = await send('two', { chatId: first.chat.id });
      const calls = world.upstream.log.length;
      const { status, body } = await control('PATCH', second.userMessage.id, '', {
        content: 'zwei',
        model: 'sim/echo',
      });
      expect(status).toBe(200);
      expect(body).toMatchObject({
        chat: { activeLeafId: body.message.id, messageCount: 6, lastMessagePreview: 'zwei', title: 'one' },
        userMessage: { parentId: first.message.id, content: 'zwei', seq: 5 },
        message: { parentId: body.userMessage.id, content: 'zwei', seq: 6 },
      });
      expect(body.userMessage.siblings).toEqual([second.userMessage.id, body.userMessage.id]);
      expect(shownSince(calls)).toEqual([['one', 'one', 'zwei']]);
      expect(ids(await history(first.chat.id))).toEqual([
        first.userMessage.id,
        first.message.id,
        body.userMessage.id,
        body.message.id,
      ]);
      expect((await control('GET', second.userMessage.id)).body).toMatchObject({
        content: 'two',
        siblings: body.userMessage.siblings,
      });
    });

    test('the first question, edited, begins the chat anew', async () => {
      const { chat, userMessage } = await send('first');
      const calls = world.upstream.log.length;
      const { body } = await control('PATCH', userMessage.id, '', { content: 'premier', model: 'sim/echo' });
      expect(body.userMessage).toMatchObject({ parentId: null, chatId: chat.id });
      expect(body.userMessage.siblings).toEqual([userMessage.id, body.userMessage.id]);
      expect(shownSince(calls)).toEqual([['premier']]);
    });

    test('the same id again is the first one, other words under it are a conflict', async () => {
      const { userMessage } = await send('x');
      const path = `/api/chat/messages/${String(userMessage.id)}`;
      const headers = { 'Idempotency-Key': 'edit-1' };
      const first = await user.call('PATCH', path, { content: 'y', model: 'sim/echo' }, { headers });
      const again = await control('PATCH', userMessage.id, '', { content: 'y', clientMessageId: 'edit-1' });
      expect(again.body).toMatchObject({ duplicate: true, message: { id: first.body.message.id } });
      expect(again.body.userMessage.siblings).toEqual(first.body.userMessage.siblings);
      const other = await control('PATCH', userMessage.id, '', { content: 'z', clientMessageId: 'edit-1' });
      expect(other).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_CONFLICT' } });
    });

    test('a reply is not edited, nor is what is missing', async () => {
      const { message } = await send('x');
      expect(await control('PATCH', message.id, '', { content: 'y' })).toMatchObject({
        status: 400,
        body: { code: 'VALIDATION_FAILED', errors: [{ path: 'messageId' }] },
      });
      expect(await control('PATCH', newId(), '', { content: 'y' })).toMatchObject({ status: 404 });
      expect(await control('PATCH', message.id, '', { content: '' })).toMatchObject({ status: 400 });
    });
  });

  describe('delete', () => {
    test('a question in the midst goes with all that hangs on it, and the next message follows what is left', async () => {
      const first = await send('one');
      const second = await send('two', { chatId: first.chat.id, clientMessageId: 'deleted-1' });
      await send('three', { chatId: first.chat.id });
      expect((await control('DELETE', second.userMessage.id)).status).toBe(204);
      expect(await chatOf(first.chat.id)).toMatchObject({
        messageCount: 2,
        activeLeafId: first.message.id,
        lastMessagePreview: 'one',
      });
      expect(ids(await history(first.chat.id, '&all=true'))).toEqual([first.userMessage.id, first.message.id]);
      expect(await control('GET', second.message.id)).toMatchObject({ status: 404 });
      expect(await control('DELETE', second.userMessage.id)).toMatchObject({ status: 404 });
      const again = { content: 'two', chatId: first.chat.id, clientMessageId: 'deleted-1' };
      expect(await user.call('POST', '/api/chat/message', again)).toMatchObject({ status: 404 });
      const calls = world.upstream.log.length;
      const next = await send('four', { chatId: first.chat.id });
      expect(next.userMessage.parentId).toBe(first.message.id);
      expect(shownSince(calls)).toEqual([['one', 'one', 'four']]);
    });

    test('while its reply runs and another one waits, both end and the model’s connection is closed', async () => {
      const { answer, attempt, chatId, replyId } = await stalled();
      const queued = user.call('POST', '/api/chat/message', { content: 'waits', chatId, model: 'sim/echo' });
      await waitFor(async () => (await chatOf(chatId)).messageCount === 4);
      const calls = world.upstream.log.length;
      const { body: running } = await control('GET', replyId);
      expect((await control('DELETE', running.parentId)).status).toBe(204);
      expect((await answer).body.message.status).toBe('stopped');
      expect((await queued).body.message.status).toBe('stopped');
      await attempt.settled;
      expect(attempt.abortedAt).not.toBeNull();
      expect(world.upstream.log.length).toBe(calls);
      expect(await chatOf(chatId)).toMatchObject({ messageCount: 0, activeLeafId: null, lastMessagePreview: null });
      expect((await history(chatId)).items).toEqual([]);
    });

    test('a reply beside the one that runs, deleted, leaves that alone', async () => {
      const first = await send('zero');
      const { answer, replyId } = await stalled({ chatId: first.chat.id });
      expect((await control('DELETE', replyId)).status).toBe(204);
      expect((await answer).body.message.status).toBe('stopped');
      const again = await stalled({ chatId: first.chat.id });
      const sibling = await user.call('POST', '/api/chat/message', {
        content: 'beside',
        chatId: first.chat.id,
        parentId: first.userMessage.id,
        whenBusy: 'reject',
      });
      expect(sibling.status).toBe(409);
      const other = await send('elsewhere');
      await control('DELETE', other.message.id);
      expect((await control('GET', again.replyId)).body.status).toBe('streaming');
      await control('POST', again.replyId, '/stop');
      await again.answer;
    });
  });

  describe('feedback', () => {
    test('on a reply, is kept, raises its rev and is replaced by the next', async () => {
      const { chat, message } = await send('rate me');
      const down = await control('POST', message.id, '/feedback', { rating: 'down', comment: 'Wrong 👎🏽' });
      expect(down).toMatchObject({ status: 200, body: { feedback: { rating: 'down', comment: 'Wrong 👎🏽' } } });
      expect(down.body.rev).toBeGreaterThan(message.rev);
      const up = await control('POST', message.id, '/feedback', { rating: 'up' });
      expect(up.body.feedback).toEqual({ rating: 'up' });
      expect((await history(chat.id)).items[1]).toEqual(up.body);
    });

    test('on a question, too long or of no kind, is refused', async () => {
      const { userMessage, message } = await send('rate me not');
      const invalid = { status: 400, body: { code: 'VALIDATION_FAILED' } };
      expect(await control('POST', userMessage.id, '/feedback', { rating: 'up' })).toMatchObject(invalid);
      expect(await control('POST', message.id, '/feedback', { rating: 'meh' })).toMatchObject(invalid);
      const comment = '😀'.repeat(1001);
      expect(await control('POST', message.id, '/feedback', { rating: 'up', comment })).toMatchObject(invalid);
      expect(await control('POST', newId(), '/feedback', { rating: 'up' })).toMatchObject({ status: 404 });
    });
  });

  describe('the branch shown', () => {
    test('activeLeafId, any message of a branch, shows it down to its newest end', async () => {
      const first = await send('one');
      const second = await send('two', { chatId: first.chat.id });
      await control('POST', first.message.id, '/regenerate', { model: 'sim/words:3' });
      const path = `/api/chat/sessions/${String(first.chat.id)}`;
      const { status, body } = await user.call('PATCH', path, { activeLeafId: first.message.id, title: 'Back' });
      expect([status, body.activeLeafId, body.title]).toEqual([200, second.message.id, 'Back']);
      expect(body.lastMessagePreview).toBe('two');
      expect((await history(first.chat.id)).items).toHaveLength(4);
      const next = await send('three', { chatId: first.chat.id });
      expect(next.userMessage.parentId).toBe(second.message.id);
    });

    test('a message of another chat is not found, and nothing is changed', async () => {
      const first = await send('one');
      const other = await send('other');
      const path = `/api/chat/sessions/${String(first.chat.id)}`;
      const refused = await user.call('PATCH', path, { activeLeafId: other.message.id, title: 'No' });
      expect(refused).toMatchObject({ status: 404, body: { code: 'MESSAGE_NOT_FOUND' } });
      expect(await chatOf(first.chat.id)).toEqual(first.chat);
      const missing = await user.call('PATCH', `/api/chat/sessions/${newId()}`, { activeLeafId: first.message.id });
      expect(missing).toMatchObject({ status: 404, body: { code: 'CHAT_NOT_FOUND' } });
    });

    test('a page of history with many forks costs the database no more reads than one without', async () => {
      const reads = async (chatId: string): Promise<number> => {
        const before = await world.storeReads();
        await history(chatId, '&all=true');
        return (await world.storeReads()) - before;
      };
      const plain = await send('plain');
      const forked = await send('forked');
      for (let count = 0; count < 5; count += 1)
        await control('POST', forked.message.id, '/regenerate', { model: 'sim/echo' });
      expect(await reads(forked.chat.id)).toBe(await reads(plain.chat.id));
      expect((await history(forked.chat.id, '&all=true')).items.at(-1).siblings).toHaveLength(6);
    });
  });

  describe('stop', () => {
    test('of a reply that waits, ends it before its turn; the one that runs goes on', async () => {
      const { answer, chatId, replyId } = await stalled();
      const waiting = user.call('POST', '/api/chat/message', { content: 'waits', chatId, model: 'sim/echo' });
      const queuedId = await waitFor(async () => {
        const { activeLeafId } = await chatOf(chatId);
        return activeLeafId === replyId ? null : String(activeLeafId);
      });
      expect((await control('GET', queuedId)).body.status).toBe('queued');
      const calls = world.upstream.log.length;
      expect((await control('POST', queuedId, '/stop')).body).toMatchObject({ status: 'stopped', content: '' });
      expect((await waiting).body.message.status).toBe('stopped');
      expect((await control('GET', replyId)).body.status).toBe('streaming');
      await control('POST', replyId, '/stop');
      expect((await answer).body.message).toMatchObject({ status: 'stopped', content: 'word1 word2 word3' });
      expect(world.upstream.log.length).toBe(calls);
    });
  });

  describe('a reply that a dead process left', () => {
    /** A turn as a process stored it that died right after; closed by the reaper of this one. */
    const abandoned = async (content: string, isAsked: boolean) => {
      const { stores } = world.node.container;
      const ended = await hearOfEnds(user);
      const leaseUntil = isAsked ? new Date(Date.now() + 3_600_000) : new Date(0);
      const { clientMessageId, turn } = await leaveTurn(stores, user.id, { content, leaseUntil });
      const replyId = turn?.reply.id ?? '';
      if (isAsked) {
        expect(await stores.messages.startReply(user.id, replyId, 'sim/echo', { at: new Date() })).toBe(true);
        await stores.messages.renewLeases(DEAD_NODE, [replyId], new Date(0));
      }
      await ended(replyId);
      return { clientMessageId, replyId };
    };

    test('before any model was asked, is generated when the message is sent again, once', async () => {
      const { clientMessageId, replyId } = await abandoned('never asked', false);
      const calls = world.upstream.log.length;
      const answers = await Promise.all(
        Array.from({ length: 10 }, () =>
          user.call('POST', '/api/chat/message', { content: 'never asked', clientMessageId }),
        ),
      );
      for (const { status, body } of answers) {
        expect({ status, body }).toMatchObject({
          status: 200,
          body: {
            duplicate: true,
            message: { id: replyId, status: 'complete', content: 'never asked', model: 'sim/echo' },
          },
        });
        expect(body.message).not.toHaveProperty('error');
      }
      expect(shownSince(calls)).toEqual([['never asked']]);
    });

    test('after a model was asked, stays as it is: a second call would be charged twice', async () => {
      const { clientMessageId, replyId } = await abandoned('was asked', true);
      const calls = world.upstream.log.length;
      const again = await user.call('POST', '/api/chat/message', { content: 'was asked', clientMessageId });
      expect(again).toMatchObject({ status: 502, body: { code: 'LLM_FAILED', messageId: replyId } });
      expect(world.upstream.log.length).toBe(calls);
    });
  });
});
