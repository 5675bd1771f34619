import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId } from '../../../src/lib/ids.ts';
import type { Chat } from '../../../src/models/entities.ts';
import type { ChatSort, Stores } from '../../../src/models/stores.ts';
import { at, firstTurn, longAgo, newChat, newTurn, storeSettledTurn, storeTurn, times, UGLY_TEXT } from './rows.ts';

/** What `ChatStore` promises. */
export const chatStoreContract = (open: () => Promise<Stores>): void => {
  let stores: Stores;
  beforeAll(async () => {
    stores = await open();
  });
  afterAll(() => stores.close());

  const stored = async (ownerId: string, changes: Partial<Chat> = {}) => {
    const chat = newChat(ownerId, changes);
    await stores.chats.createChat(chat);
    return chat;
  };
  const titlesOf = async (ownerId: string, titleQuery: string | null) => {
    const page = { sort: 'createdAt', titleQuery, after: null, limit: 100 } as const;
    return (await stores.chats.listChats(ownerId, page)).map(({ title }) => title);
  };

  describe('one chat', () => {
    test('a chat, stored and read, is the same in every field', async () => {
      const ownerId = newId();
      const chat = await stored(ownerId, {
        title: UGLY_TEXT,
        model: 'maker/model',
        systemPrompt: UGLY_TEXT,
        createdBy: newId(),
      });
      expect(await stores.chats.findChat(ownerId, chat.id)).toEqual(chat);
    });

    test('updateChat, with some fields, changes these, raises rev and sets updatedAt', async () => {
      const ownerId = newId();
      const chat = await stored(ownerId, { systemPrompt: 'old' });
      const changes = { title: 'Renamed', model: 'maker/other', systemPrompt: null, activeLeafId: newId() };
      const expected = { ...chat, ...changes, updatedAt: at(50), rev: 2 };
      expect(await stores.chats.updateChat(ownerId, chat.id, changes, at(50))).toEqual(expected);
      expect(await stores.chats.findChat(ownerId, chat.id)).toEqual(expected);
      expect(await titlesOf(ownerId, 'renamed')).toEqual(['Renamed']);
      expect(await stores.chats.updateChat(ownerId, chat.id, {}, at(51))).toEqual({
        ...expected,
        updatedAt: at(51),
        rev: 3,
      });
    });

    test('updateChat, 20 times at once, raises rev 20 times', async () => {
      const ownerId = newId();
      const chat = await stored(ownerId);
      await Promise.all(times(20, (i) => stores.chats.updateChat(ownerId, chat.id, { title: `t${String(i)}` }, at(i))));
      expect((await stores.chats.findChat(ownerId, chat.id))?.rev).toBe(21);
    });

    test('every method, asked by a foreign owner, answers as for no chat', async () => {
      const chat = await stored(newId());
      for (const [ownerId, chatId] of [
        [newId(), chat.id],
        [chat.ownerId, newId()],
      ] as const) {
        expect(await stores.chats.findChat(ownerId, chatId)).toBeNull();
        expect(await stores.chats.updateChat(ownerId, chatId, { title: 'x' }, at(1))).toBeNull();
        expect(await stores.chats.clearChat(ownerId, chatId, at(1))).toBeNull();
        expect(await stores.chats.deleteChat(ownerId, chatId)).toBe(false);
      }
      expect(await stores.chats.deleteChats(newId())).toEqual([]);
      expect(await stores.chats.findChat(chat.ownerId, chat.id)).toEqual(chat);
    });

    test('clearChat, of a chat with messages, removes these and keeps the chat and its lastSeq', async () => {
      const ownerId = newId();
      const turn = firstTurn(ownerId);
      const { chat, reply } = await storeSettledTurn(stores, turn);
      const cleared = await stores.chats.clearChat(ownerId, turn.chatId, at(9_000));
      expect(cleared).toEqual({
        ...chat,
        messageCount: 0,
        activeLeafId: null,
        lastMessagePreview: null,
        lastSeq: 2,
        updatedAt: at(9_000),
        rev: chat.rev + 1,
      });
      expect(await stores.chats.findChat(ownerId, turn.chatId)).toEqual(cleared);
      expect(await stores.messages.listMessages(ownerId, turn.chatId, null, 10)).toEqual([]);
      expect(await stores.messages.findMessage(ownerId, reply.id)).toBeNull();
      expect(await stores.messages.findTurn(ownerId, turn.clientMessageId)).toMatchObject({ turn: null });
    });

    test('appendTurn, after a clear, begins a new root with the next seq', async () => {
      const ownerId = newId();
      const turn = firstTurn(ownerId);
      await storeSettledTurn(stores, turn);
      await stores.chats.clearChat(ownerId, turn.chatId, at(9_000));
      const { chat, userMessage, reply } = await storeTurn(stores, newTurn(ownerId, turn.chatId));
      expect(userMessage).toMatchObject({ seq: 3, parentId: null });
      expect(reply).toMatchObject({ seq: 4, parentId: userMessage.id, status: 'pending' });
      expect(chat).toMatchObject({ lastSeq: 4, messageCount: 2, activeLeafId: reply.id });
      expect(await stores.messages.listMessages(ownerId, turn.chatId, null, 10)).toHaveLength(2);
    });
  });

  describe('deleting', () => {
    test('deleteChat, of one of two chats, removes its messages, keeps its turns known and the other chat whole', async () => {
      const ownerId = newId();
      const gone = firstTurn(ownerId);
      const kept = firstTurn(ownerId);
      const running = await storeTurn(stores, gone);
      await stores.messages.appendLog([{ ownerId, messageId: running.reply.id, offset: 0, text: 'so far' }]);
      const settled = await storeSettledTurn(stores, kept);

      expect(await stores.chats.deleteChat(ownerId, gone.chatId)).toBe(true);

      expect(await stores.chats.findChat(ownerId, gone.chatId)).toBeNull();
      expect(await stores.messages.findMessage(ownerId, running.userMessage.id)).toBeNull();
      expect(await stores.messages.findMessage(ownerId, running.reply.id)).toBeNull();
      expect(await stores.messages.listMessages(ownerId, gone.chatId, null, 10)).toEqual([]);
      expect(await stores.messages.findTurn(ownerId, gone.clientMessageId)).toEqual({
        created: false,
        fingerprint: gone.fingerprint,
        turn: null,
      });
      expect(await stores.chats.findChat(ownerId, kept.chatId)).toEqual(settled.chat);
      expect(await stores.messages.listMessages(ownerId, kept.chatId, null, 10)).toHaveLength(2);
    });

    test('deleteChat, 5 times at once, is true once', async () => {
      const ownerId = newId();
      const chat = await stored(ownerId);
      const outcomes = await Promise.all(times(5, () => stores.chats.deleteChat(ownerId, chat.id)));
      expect(outcomes.filter(Boolean)).toHaveLength(1);
    });

    test('a turn of a deleted chat, sent again, is recognised and brings nothing back', async () => {
      const ownerId = newId();
      const turn = firstTurn(ownerId);
      await storeSettledTurn(stores, turn);
      await stores.chats.deleteChat(ownerId, turn.chatId);
      const again = await stores.messages.appendTurn(turn);
      expect(again).toEqual({ created: false, fingerprint: turn.fingerprint, turn: null });
      expect(await stores.chats.findChat(ownerId, turn.chatId)).toBeNull();
      expect(await stores.messages.listMessages(ownerId, turn.chatId, null, 10)).toEqual([]);
    });

    test('deleteChats, of one of two owners, deletes all of the one and returns their ids once', async () => {
      const ownerId = newId();
      const turns = times(3, () => firstTurn(ownerId));
      for (const turn of turns) await storeSettledTurn(stores, turn);
      const empty = await stored(ownerId);
      const foreign = await stored(newId());
      const expected = [...turns.map(({ chatId }) => chatId), empty.id].toSorted();

      const outcomes = await Promise.all(times(2, () => stores.chats.deleteChats(ownerId)));

      expect(outcomes.flat().toSorted()).toEqual(expected);
      expect(await titlesOf(ownerId, null)).toEqual([]);
      for (const { chatId } of turns) expect(await stores.messages.listMessages(ownerId, chatId, null, 9)).toEqual([]);
      expect(await stores.chats.findChat(foreign.ownerId, foreign.id)).toEqual(foreign);
    });

    test('listIdleChats, of any owner, gives the oldest first, at most so many and none at the limit itself', async () => {
      const ages = [300, 100, 200, 400, 500];
      const chats = await Promise.all(ages.map((time) => stored(newId(), { updatedAt: longAgo(time) })));
      const idOf = (time: number) => {
        const chat = chats[ages.indexOf(time)];
        return { id: chat?.id, ownerId: chat?.ownerId };
      };
      expect(await stores.chats.listIdleChats(longAgo(400), 10)).toEqual([idOf(100), idOf(200), idOf(300)]);
      expect(await stores.chats.listIdleChats(longAgo(400), 2)).toEqual([idOf(100), idOf(200)]);
      await Promise.all(chats.map(({ ownerId, id }) => stores.chats.deleteChat(ownerId, id)));
      expect(await stores.chats.listIdleChats(longAgo(400), 10)).toEqual([]);
    });
  });

  describe('listChats', () => {
    /** All chats of the owner by pages of `limit`, asking for one more to know whether there is a next page. */
    const pages = async (ownerId: string, sort: ChatSort, limit: number) => {
      const seen: Chat[] = [];
      let after: { at: Date; id: string } | null = null;
      for (;;) {
        const page: Chat[] = await stores.chats.listChats(ownerId, { sort, titleQuery: null, after, limit: limit + 1 });
        seen.push(...page.slice(0, limit));
        const last = seen.at(-1);
        if (page.length <= limit || !last) return seen;
        after = { at: sort.endsWith('createdAt') ? last.createdAt : last.updatedAt, id: last.id };
      }
    };

    test('paged in each sort, with equal times, gives every chat once and in order', async () => {
      const ownerId = newId();
      const chats = await Promise.all(
        times(23, (i) => stored(ownerId, { createdAt: at(Math.floor(i / 5)), updatedAt: at(-Math.floor(i / 7)) })),
      );
      await stored(newId());
      for (const key of ['createdAt', 'updatedAt'] as const) {
        const ascending = chats.toSorted((a, b) => a[key].getTime() - b[key].getTime() || (a.id < b.id ? -1 : 1));
        const ids = ascending.map(({ id }) => id);
        for (const limit of [1, 4, 23, 50]) {
          expect((await pages(ownerId, key, limit)).map(({ id }) => id)).toEqual(ids);
          expect((await pages(ownerId, `-${key}`, limit)).map(({ id }) => id)).toEqual(ids.toReversed());
        }
      }
    });

    test('with a title query, finds it anywhere, in any case, in any language', async () => {
      const ownerId = newId();
      for (const [i, title] of ['Größe ÄNDERN', 'an apple', 'APPLE pie', 'ΣΊΣΥΦΟΣ', '日本語 😀'].entries()) {
        await stored(ownerId, { title, createdAt: at(i) });
      }
      expect(await titlesOf(ownerId, 'apple')).toEqual(['an apple', 'APPLE pie']);
      expect(await titlesOf(ownerId, 'Apple P')).toEqual(['APPLE pie']);
      expect(await titlesOf(ownerId, 'äNdern')).toEqual(['Größe ÄNDERN']);
      expect(await titlesOf(ownerId, 'ίσυ')).toEqual(['ΣΊΣΥΦΟΣ']);
      expect(await titlesOf(ownerId, '語 😀')).toEqual(['日本語 😀']);
      expect(await titlesOf(ownerId, 'pear')).toEqual([]);
      expect(await titlesOf(ownerId, '')).toHaveLength(5);
    });

    test('with signs that mean something to LIKE or to a regular expression, takes them as they are', async () => {
      const ownerId = newId();
      const titles = [
        '100% sure',
        '100 percent',
        'snake_case',
        'snakeXcase',
        'a.b',
        'axb',
        '(x|y)*',
        'back\\slash',
        '^start$',
        '[a-z]{2}',
        'q?',
        'n\0ul',
      ];
      for (const [i, title] of titles.entries()) await stored(ownerId, { title, createdAt: at(i) });
      expect(await titlesOf(ownerId, '0%')).toEqual(['100% sure']);
      expect(await titlesOf(ownerId, 'e_c')).toEqual(['snake_case']);
      expect(await titlesOf(ownerId, 'a.b')).toEqual(['a.b']);
      expect(await titlesOf(ownerId, '(X|Y)*')).toEqual(['(x|y)*']);
      expect(await titlesOf(ownerId, '\\')).toEqual(['back\\slash']);
      expect(await titlesOf(ownerId, '^')).toEqual(['^start$']);
      expect(await titlesOf(ownerId, '$')).toEqual(['^start$']);
      expect(await titlesOf(ownerId, '[a-z]{2}')).toEqual(['[a-z]{2}']);
      expect(await titlesOf(ownerId, '?')).toEqual(['q?']);
      expect(await titlesOf(ownerId, 'n\0u')).toEqual(['n\0ul']);
      expect(await titlesOf(ownerId, '.*')).toEqual([]);
    });

    test('with a query and a cursor, pages within the matches', async () => {
      const ownerId = newId();
      const matching = [];
      for (let i = 0; i < 6; i += 1)
        matching.push(await stored(ownerId, { title: `match ${String(i)}`, updatedAt: at(i) }));
      for (let i = 0; i < 6; i += 1) await stored(ownerId, { title: 'other', updatedAt: at(i) });
      const third = matching[3];
      if (!third) throw new Error('six chats were stored');
      const after = { at: third.updatedAt, id: third.id };
      const page = await stores.chats.listChats(ownerId, { sort: '-updatedAt', titleQuery: 'MATCH', after, limit: 2 });
      expect(page.map(({ title }) => title)).toEqual(['match 2', 'match 1']);
    });
  });
};
