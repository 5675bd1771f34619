import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId } from '../../../src/lib/ids.ts';
import { ChatFullError, MissingReferenceError } from '../../../src/models/errors.ts';
import type { NewTurn, Stores } from '../../../src/models/stores.ts';
import { at, firstTurn, newChat, newTurn, replyEnd, storeSettledTurn, storeTurn, times, UGLY_TEXT } from './rows.ts';

/** What `appendTurn` and `findTurn` of `MessageStore` promise. */
export const turnStoreContract = (open: () => Promise<Stores>): void => {
  let stores: Stores;
  beforeAll(async () => {
    stores = await open();
  });
  afterAll(() => stores.close());

  const chatWithTurn = async (changes: Partial<NewTurn> = {}) => {
    const ownerId = newId();
    const turn = firstTurn(ownerId, changes);
    const settled = await storeSettledTurn(stores, turn);
    return { ownerId, turn, chatId: turn.chatId, ...settled };
  };
  const nothingStored = async (turn: NewTurn) => {
    expect(await stores.messages.findTurn(turn.ownerId, turn.clientMessageId)).toBeNull();
    expect(await stores.messages.findMessage(turn.ownerId, turn.reply.id)).toBeNull();
    if (turn.userMessage) expect(await stores.messages.findMessage(turn.ownerId, turn.userMessage.id)).toBeNull();
  };

  describe('appendTurn', () => {
    test('with a new chat, stores the chat, the question and the empty reply, and returns them', async () => {
      const ownerId = newId();
      const createdBy = newId();
      const title = { title: UGLY_TEXT, model: 'maker/wish', systemPrompt: 'Be brief.' };
      const turn = firstTurn(ownerId, { createdBy, newChat: title, preview: UGLY_TEXT });
      const stored = await stores.messages.appendTurn(turn);

      const shared = { ownerId, createdBy, chatId: turn.chatId, createdAt: turn.at, updatedAt: turn.at, rev: 1 };
      const empty = { finishReason: null, usage: null, latencyMs: null, segments: null, error: null, feedback: null };
      expect(stored).toEqual({
        created: true,
        fingerprint: turn.fingerprint,
        turn: {
          chat: {
            id: turn.chatId,
            ownerId,
            createdBy,
            ...title,
            activeLeafId: turn.reply.id,
            messageCount: 2,
            lastMessagePreview: UGLY_TEXT,
            lastSeq: 2,
            createdAt: turn.at,
            updatedAt: turn.at,
            rev: 1,
          },
          userMessage: {
            id: turn.userMessage?.id,
            ...shared,
            ...empty,
            seq: 1,
            parentId: null,
            role: 'user',
            content: turn.userMessage?.content,
            status: 'complete',
            clientMessageId: turn.clientMessageId,
            model: null,
            lease: null,
          },
          reply: {
            id: turn.reply.id,
            ...shared,
            ...empty,
            seq: 2,
            parentId: turn.userMessage?.id,
            role: 'assistant',
            content: '',
            status: 'pending',
            clientMessageId: turn.clientMessageId,
            model: turn.reply.model,
            lease: turn.lease,
          },
        },
      });
      expect(await stores.chats.findChat(ownerId, turn.chatId)).toEqual(stored.turn?.chat);
      expect(await stores.messages.findMessage(ownerId, turn.reply.id)).toEqual(stored.turn?.reply);
      expect(await stores.messages.listMessages(ownerId, turn.chatId, null, 10)).toEqual([
        stored.turn?.reply,
        stored.turn?.userMessage,
      ]);
    });

    test('into a chat, hangs on its active leaf and moves leaf, counters, preview and rev', async () => {
      const { ownerId, chatId, chat, reply: before } = await chatWithTurn();
      const turn = newTurn(ownerId, chatId, { preview: 'And you?', at: at(5_000) });
      const { chat: after, userMessage, reply } = await storeTurn(stores, turn);
      expect(userMessage).toMatchObject({ seq: 3, parentId: before.id });
      expect(reply).toMatchObject({ seq: 4, parentId: userMessage.id, status: 'pending' });
      expect(after).toEqual({
        ...chat,
        activeLeafId: reply.id,
        messageCount: 4,
        lastMessagePreview: 'And you?',
        lastSeq: 4,
        updatedAt: at(5_000),
        rev: chat.rev + 1,
      });
      expect(await stores.chats.findChat(ownerId, chatId)).toEqual(after);
    });

    test('into a chat without messages, makes the root', async () => {
      const ownerId = newId();
      const chat = newChat(ownerId);
      await stores.chats.createChat(chat);
      const { userMessage } = await storeTurn(stores, newTurn(ownerId, chat.id));
      expect(userMessage).toMatchObject({ seq: 1, parentId: null });
    });

    test('with a parent, hangs on it; with null, begins another root', async () => {
      const { ownerId, chatId, turn } = await chatWithTurn();
      const parentId = turn.userMessage?.id ?? null;
      const sibling = await storeTurn(stores, newTurn(ownerId, chatId, { parentId }));
      expect(sibling.userMessage.parentId).toBe(parentId);
      const root = await storeTurn(stores, newTurn(ownerId, chatId, { parentId: null }));
      expect(root.userMessage).toMatchObject({ seq: 5, parentId: null });
      expect(root.chat.activeLeafId).toBe(root.reply.id);
    });

    test('without a user message, adds only a reply to the parent, with the next seq', async () => {
      const { ownerId, chatId, chat, turn } = await chatWithTurn();
      const parentId = turn.userMessage?.id ?? null;
      const regenerate = newTurn(ownerId, chatId, { parentId, userMessage: null });
      const stored = await storeTurn(stores, regenerate);
      expect(stored.userMessage).toMatchObject({ id: parentId, seq: 1 });
      expect(stored.reply).toMatchObject({ seq: 3, parentId });
      expect(stored.chat).toMatchObject({
        messageCount: 3,
        lastSeq: 3,
        activeLeafId: stored.reply.id,
        rev: chat.rev + 1,
      });
      const again = await stores.messages.findTurn(ownerId, regenerate.clientMessageId);
      expect(again?.turn).toEqual(stored);
    });

    test('with text of every kind, gives it back exactly', async () => {
      const ownerId = newId();
      const content = `${UGLY_TEXT}${'😀\0ü'.repeat(20_000)}`;
      const clientMessageId = `\0$\u{10FFFF}/.:😀${newId()}`;
      const turn = firstTurn(ownerId, {
        clientMessageId,
        fingerprint: UGLY_TEXT,
        userMessage: { id: newId(), content },
      });
      await stores.messages.appendTurn(turn);
      const found = await stores.messages.findTurn(ownerId, clientMessageId);
      expect(found?.fingerprint).toBe(UGLY_TEXT);
      expect(found?.turn?.userMessage.content === content).toBe(true);
      expect(found?.turn?.userMessage.clientMessageId).toBe(clientMessageId);
    });

    test('into a chat that is missing, foreign or deleted, throws and stores nothing', async () => {
      const foreign = await chatWithTurn();
      const deleted = await chatWithTurn();
      await stores.chats.deleteChat(deleted.ownerId, deleted.chatId);
      for (const turn of [
        newTurn(newId(), newId()),
        newTurn(newId(), foreign.chatId),
        newTurn(deleted.ownerId, deleted.chatId),
      ]) {
        await expect(stores.messages.appendTurn(turn)).rejects.toEqual(new MissingReferenceError('chat'));
        await nothingStored(turn);
      }
      expect(await stores.chats.findChat(foreign.ownerId, foreign.chatId)).toEqual(foreign.chat);
    });

    test('on a parent that is missing, of another chat or foreign, throws and stores nothing', async () => {
      const { ownerId, chatId, chat } = await chatWithTurn();
      const otherTurn = firstTurn(ownerId);
      const other = await storeSettledTurn(stores, otherTurn);
      const foreign = await chatWithTurn();
      for (const parentId of [newId(), other.reply.id, foreign.reply.id]) {
        const turn = newTurn(ownerId, chatId, { parentId });
        const error: unknown = await stores.messages.appendTurn(turn).catch((caught: unknown) => caught);
        expect(error).toBeInstanceOf(MissingReferenceError);
        expect(error).toMatchObject({ what: 'parent' });
        await nothingStored(turn);
      }
      expect(await stores.chats.findChat(ownerId, chatId)).toEqual(chat);
    });

    test('a new chat with a parent, which it cannot have, throws and stores nothing', async () => {
      const turn = firstTurn(newId(), { parentId: newId() });
      await expect(stores.messages.appendTurn(turn)).rejects.toMatchObject({ what: 'parent' });
      await nothingStored(turn);
      expect(await stores.chats.findChat(turn.ownerId, turn.chatId)).toBeNull();
    });

    test('only a reply, to a message that is not a user message, throws and stores nothing', async () => {
      const { ownerId, chatId, chat, reply } = await chatWithTurn();
      for (const parentId of [reply.id, undefined, null]) {
        const turn = newTurn(ownerId, chatId, { parentId, userMessage: null });
        await expect(stores.messages.appendTurn(turn)).rejects.toMatchObject({ what: 'parent' });
        await nothingStored(turn);
      }
      expect(await stores.chats.findChat(ownerId, chatId)).toEqual(chat);
    });
  });

  describe('appendTurn again', () => {
    test('under a known id, even with other content, changes nothing and returns the first in its present state', async () => {
      const { ownerId, turn, chat, reply } = await chatWithTurn();
      const other = newTurn(ownerId, turn.chatId, { clientMessageId: turn.clientMessageId });
      const stored = await stores.messages.appendTurn(other);
      expect(stored).toMatchObject({ created: false, fingerprint: turn.fingerprint, turn: { chat, reply } });
      expect(stored.turn?.userMessage.content).toBe(turn.userMessage?.content);
      expect(await stores.messages.listMessages(ownerId, turn.chatId, null, 10)).toHaveLength(2);
      expect(await stores.chats.findChat(ownerId, turn.chatId)).toEqual(chat);
      expect(await stores.messages.findTurn(ownerId, turn.clientMessageId)).toEqual(stored);
    });

    test('under a known id, is recognised before the chat, the parent and the queue are looked at', async () => {
      const { ownerId, turn, chatId } = await chatWithTurn();
      await storeTurn(stores, newTurn(ownerId, chatId));
      const { clientMessageId } = turn;
      for (const changes of [{ chatId: newId() }, { parentId: newId() }, { maxUnfinished: 0 }]) {
        const stored = await stores.messages.appendTurn(newTurn(ownerId, chatId, { clientMessageId, ...changes }));
        expect(stored).toMatchObject({ created: false, fingerprint: turn.fingerprint });
        expect(stored.turn?.reply.id).toBe(turn.reply.id);
      }
    });

    test('under an id that another owner used, is a turn of its own', async () => {
      const { turn } = await chatWithTurn();
      const mine = firstTurn(newId(), { clientMessageId: turn.clientMessageId });
      expect(await stores.messages.findTurn(mine.ownerId, mine.clientMessageId)).toBeNull();
      expect(await stores.messages.appendTurn(mine)).toMatchObject({ created: true });
    });

    test('50 times at once under one id with 50 chats, makes exactly one turn, the same for all', async () => {
      const ownerId = newId();
      const clientMessageId = newId();
      const turns = times(50, () => firstTurn(ownerId, { clientMessageId, fingerprint: 'same' }));
      const stored = await Promise.all(turns.map((turn) => stores.messages.appendTurn(turn)));
      expect(stored.filter(({ created }) => created)).toHaveLength(1);
      expect(new Set(stored.map(({ turn }) => turn?.reply.id)).size).toBe(1);
      expect(new Set(stored.map(({ turn }) => turn?.userMessage.id)).size).toBe(1);
      const page = { sort: 'createdAt', titleQuery: null, after: null, limit: 100 } as const;
      const chats = await stores.chats.listChats(ownerId, page);
      expect(chats).toMatchObject([{ id: stored[0]?.turn?.chat.id, messageCount: 2, lastSeq: 2 }]);
    });

    test('50 times at once under one id in one chat, makes exactly one turn', async () => {
      const { ownerId, chatId } = await chatWithTurn();
      const clientMessageId = newId();
      const turns = times(50, () =>
        newTurn(ownerId, chatId, { clientMessageId, fingerprint: 'same', maxUnfinished: 0 }),
      );
      const stored = await Promise.all(turns.map((turn) => stores.messages.appendTurn(turn)));
      expect(stored.filter(({ created }) => created)).toHaveLength(1);
      expect(new Set(stored.map(({ turn }) => turn?.reply.id)).size).toBe(1);
      expect(await stores.messages.listMessages(ownerId, chatId, null, 100)).toHaveLength(4);
    });
  });

  describe('appendTurn at once', () => {
    test('30 turns in one chat, hang on one another, with distinct seqs and none lost', async () => {
      const { ownerId, chatId, reply: first } = await chatWithTurn();
      const turns = times(30, () => newTurn(ownerId, chatId));
      const stored = await Promise.all(turns.map((turn) => stores.messages.appendTurn(turn)));
      expect(stored.every(({ created }) => created)).toBe(true);

      const messages = (await stores.messages.listMessages(ownerId, chatId, null, 100)).toReversed();
      expect(messages.map(({ seq }) => seq)).toEqual(times(62, (i) => i + 1));
      const added = messages.slice(2);
      expect(added.map(({ parentId }) => parentId)).toEqual([first.id, ...added.slice(0, -1).map(({ id }) => id)]);
      expect(new Set(added.map(({ id }) => id))).toEqual(
        new Set(turns.flatMap(({ userMessage, reply }) => [userMessage?.id, reply.id])),
      );
      expect(await stores.chats.findChat(ownerId, chatId)).toMatchObject({
        lastSeq: 62,
        messageCount: 62,
        activeLeafId: added.at(-1)?.id,
      });
      expect(added.filter(({ status }) => status === 'pending')).toHaveLength(1);
      expect(added.filter(({ status }) => status === 'queued')).toHaveLength(29);
    });

    test('more than the chat may have waiting, stores as many as it may and throws for the others', async () => {
      const { ownerId, chatId } = await chatWithTurn();
      const turns = times(10, () => newTurn(ownerId, chatId, { maxUnfinished: 3 }));
      const outcomes = await Promise.allSettled(turns.map((turn) => stores.messages.appendTurn(turn)));
      const refused = turns.filter((_, i) => outcomes[i]?.status === 'rejected');
      expect(refused).toHaveLength(6);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(ChatFullError);
      }
      for (const turn of refused) await nothingStored(turn);
      const unfinished = await stores.messages.listUnfinished(ownerId, chatId);
      expect(unfinished.map(({ status }) => status)).toEqual(['pending', 'queued', 'queued', 'queued']);
      expect(unfinished.map(({ lease }) => lease !== null)).toEqual([true, false, false, false]);
    });

    test('in a chat that may have none waiting, is taken when the chat is idle and refused when it is not', async () => {
      const { ownerId, chatId } = await chatWithTurn();
      const { reply } = await storeTurn(stores, newTurn(ownerId, chatId, { maxUnfinished: 0 }));
      expect(reply.status).toBe('pending');
      const refused = newTurn(ownerId, chatId, { maxUnfinished: 0 });
      await expect(stores.messages.appendTurn(refused)).rejects.toBeInstanceOf(ChatFullError);
      await stores.messages.settleReply(ownerId, reply.id, replyEnd());
      expect(await stores.messages.appendTurn(refused)).toMatchObject({ created: true });
    });

    test('with the deletion of the chat, leaves nothing of it behind', async () => {
      const { ownerId, chatId } = await chatWithTurn();
      const turns = times(10, () => newTurn(ownerId, chatId));
      const [outcomes] = await Promise.all([
        Promise.allSettled(turns.map((turn) => stores.messages.appendTurn(turn))),
        stores.chats.deleteChat(ownerId, chatId),
      ]);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ what: 'chat' });
      }
      expect(await stores.chats.findChat(ownerId, chatId)).toBeNull();
      expect(await stores.messages.listMessages(ownerId, chatId, null, 100)).toEqual([]);
    });

    test('with the clearing of the chat, leaves no message whose parent is gone', async () => {
      const { ownerId, chatId } = await chatWithTurn();
      const turns = times(10, () => newTurn(ownerId, chatId));
      await Promise.all([
        ...turns.map((turn) => stores.messages.appendTurn(turn)),
        stores.chats.clearChat(ownerId, chatId, at(9_000)),
      ]);
      const messages = await stores.messages.listMessages(ownerId, chatId, null, 100);
      const ids = new Set(messages.map(({ id }) => id));
      expect(messages.filter(({ parentId }) => parentId !== null && !ids.has(parentId))).toEqual([]);
      expect(await stores.chats.findChat(ownerId, chatId)).toMatchObject({
        messageCount: messages.length,
        lastSeq: 22,
      });
    });
  });

  test('findTurn, of nothing or of another owner, is null', async () => {
    const { turn } = await chatWithTurn();
    expect(await stores.messages.findTurn(turn.ownerId, newId())).toBeNull();
    expect(await stores.messages.findTurn(newId(), turn.clientMessageId)).toBeNull();
  });
};
