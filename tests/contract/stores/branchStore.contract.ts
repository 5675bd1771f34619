import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId } from '../../../src/lib/ids.ts';
import type { Stores } from '../../../src/models/stores.ts';
import { at, firstTurn, newTurn, replyEnd, storeSettledTurn, storeTurn, times, UGLY_TEXT } from './rows.ts';

/** What `MessageStore` promises of the tree that a chat's messages are: siblings, branches, deletion; and feedback. */
export const branchStoreContract = (open: () => Promise<Stores>): void => {
  let stores: Stores;
  beforeAll(async () => {
    stores = await open();
  });
  afterAll(() => stores.close());

  /**
   * question 1 → reply 2 → question 3 → reply 4; reply 5 to question 1; question 6 on reply 2 → reply 7; question 8
   * (sibling of 1) → reply 9, which is shown.
   */
  const tree = async () => {
    const ownerId = newId();
    const first = firstTurn(ownerId);
    const { chatId } = first;
    const ids: string[] = [];
    const add = async (turn = first) => {
      const { reply } = await storeSettledTurn(stores, turn);
      if (turn.userMessage) ids.push(turn.userMessage.id);
      ids.push(reply.id);
      return reply;
    };
    await add();
    await add(newTurn(ownerId, chatId));
    await add(newTurn(ownerId, chatId, { parentId: ids[0], userMessage: null }));
    await add(newTurn(ownerId, chatId, { parentId: ids[1] }));
    await add(newTurn(ownerId, chatId, { parentId: null }));
    const id = (seq: number): string => ids[seq - 1] ?? '';
    const left = async (): Promise<number[]> =>
      (await stores.messages.listMessages(ownerId, chatId, null, 100)).map((message) => ids.indexOf(message.id) + 1);
    const show = (seq: number) => stores.messages.showBranch(ownerId, chatId, id(seq), at(8_000));
    const remove = (seq: number) => stores.messages.deleteMessage(ownerId, id(seq), at(9_000));
    const chat = () => stores.chats.findChat(ownerId, chatId);
    return { ownerId, chatId, id, left, show, remove, chat, first };
  };

  describe('listChildIds', () => {
    test('gives the children of several parents, and the roots, in order of seq', async () => {
      const { ownerId, chatId, id } = await tree();
      const list = async (...parentIds: (string | null)[]) =>
        (await stores.messages.listChildIds(ownerId, chatId, parentIds)).map((child) => [child.parentId, child.id]);
      expect(await list(null)).toEqual([
        [null, id(1)],
        [null, id(8)],
      ]);
      expect(await list(id(2), null, id(1), id(4))).toEqual(
        [
          [0, 1],
          [1, 2],
          [2, 3],
          [1, 5],
          [2, 6],
          [0, 8],
        ].map(([parent = 0, child = 0]) => [parent === 0 ? null : id(parent), id(child)]),
      );
      expect(await list()).toEqual([]);
      expect(await stores.messages.listChildIds(newId(), chatId, [null, id(1)])).toEqual([]);
      expect(await stores.messages.listChildIds(ownerId, newId(), [null, id(1)])).toEqual([]);
    });
  });

  describe('showBranch', () => {
    test('of a message, makes the newest leaf at or below it the active one, with its preview', async () => {
      const { id, show, chat } = await tree();
      const before = await chat();
      expect(before?.activeLeafId).toBe(id(9));
      const shown = await show(2);
      expect(shown).toEqual({
        ...before,
        activeLeafId: id(7),
        lastMessagePreview: 'Fine.',
        updatedAt: at(8_000),
        rev: (before?.rev ?? 0) + 1,
      });
      expect(await chat()).toEqual(shown);
      expect((await show(4))?.activeLeafId).toBe(id(4));
      expect((await show(1))?.activeLeafId).toBe(id(7));
    });

    test('of a leaf without text, has the preview of its question', async () => {
      const { ownerId, chatId, show } = await tree();
      const question = { id: newId(), content: UGLY_TEXT };
      const { reply } = await storeTurn(stores, newTurn(ownerId, chatId, { userMessage: question, preview: 'asked' }));
      await show(1);
      const shown = await stores.messages.showBranch(ownerId, chatId, reply.id, at(8_100));
      expect(shown?.activeLeafId).toBe(reply.id);
      expect(shown?.lastMessagePreview).toMatch(/^a\0b 😀/);
    });

    test('of a message of another chat, of a foreign one or of none, is null and changes nothing', async () => {
      const { ownerId, chatId, id, chat } = await tree();
      const other = await tree();
      const before = await chat();
      const show = (owner: string, message: string) => stores.messages.showBranch(owner, chatId, message, at(1));
      expect(await show(ownerId, other.id(1))).toBeNull();
      expect(await show(ownerId, newId())).toBeNull();
      expect(await show(newId(), id(1))).toBeNull();
      expect(await stores.messages.showBranch(ownerId, newId(), id(1), at(1))).toBeNull();
      expect(await chat()).toEqual(before);
    });
  });

  describe('deleteMessage', () => {
    test('takes all that hangs on the message, corrects the count and leaves the leaf that stays', async () => {
      const { id, left, remove, chat } = await tree();
      const before = await chat();
      const removed = await remove(2);
      expect(removed?.ids).toEqual([2, 3, 4, 6, 7].map(id));
      expect(removed?.chat).toMatchObject({ messageCount: 4, activeLeafId: id(9), updatedAt: at(9_000) });
      expect(removed?.chat.lastMessagePreview).toBe(before?.lastMessagePreview);
      expect(removed?.chat.rev).toBeGreaterThan(before?.rev ?? Infinity);
      expect(await chat()).toEqual(removed?.chat);
      expect(await left()).toEqual([9, 8, 5, 1]);
    });

    test.each([
      ['a leaf, with a sibling, gives way to the newest leaf beside it', 5, 5, 7],
      ['a branch, with others at its fork, gives way to the newest of these', 2, 4, 5],
      ['a reply, the only one, gives way to its question', 7, 7, 6],
      ['a root, with another one, gives way to the newest of the chat', 8, 9, 7],
    ])('of what is shown: %s', async (_name, deleted, shown, expected) => {
      const { id, show, remove } = await tree();
      await show(shown);
      const removed = await remove(deleted);
      expect(removed?.chat.activeLeafId).toBe(id(expected));
      expect(removed?.chat.lastMessagePreview).toBe(expected === 6 ? 'How are you?' : 'Fine.');
    });

    test('of the last message, leaves an empty chat, into which the next turn begins anew', async () => {
      const { ownerId, chatId, left, remove } = await tree();
      await remove(1);
      const removed = await remove(8);
      expect(removed?.chat).toMatchObject({ messageCount: 0, activeLeafId: null, lastMessagePreview: null });
      expect(await left()).toEqual([]);
      const { userMessage, reply, chat } = await storeTurn(stores, newTurn(ownerId, chatId));
      expect(userMessage.parentId).toBeNull();
      expect(userMessage.seq).toBeGreaterThan(9);
      expect(chat).toMatchObject({ messageCount: 2, activeLeafId: reply.id });
    });

    test('of a running reply, takes its log; its end finds nothing', async () => {
      const { ownerId, chatId } = await tree();
      const { reply } = await storeTurn(stores, newTurn(ownerId, chatId));
      await stores.messages.appendLog([{ ownerId, messageId: reply.id, offset: 0, text: 'so far' }]);
      expect(await stores.messages.deleteMessage(ownerId, reply.id, at(1))).toMatchObject({ ids: [reply.id] });
      expect(await stores.messages.listUnfinished(ownerId, chatId)).toEqual([]);
      expect(await stores.messages.settleReply(ownerId, reply.id, replyEnd())).toBeNull();
      expect(await stores.messages.findMessage(ownerId, reply.id)).toBeNull();
    });

    test('of a foreign message, of one that is gone or of none, is null and changes nothing', async () => {
      const { ownerId, id, remove, chat, left } = await tree();
      await remove(8);
      const before = await chat();
      expect(await remove(9)).toBeNull();
      expect(await stores.messages.deleteMessage(newId(), id(1), at(1))).toBeNull();
      expect(await stores.messages.deleteMessage(ownerId, newId(), at(1))).toBeNull();
      expect(await chat()).toEqual(before);
      expect(await left()).toHaveLength(7);
    });

    test('a turn whose message is gone, sent again, is recognised and brings nothing back', async () => {
      const { ownerId, first, remove, left } = await tree();
      await remove(1);
      expect(await stores.messages.findTurn(ownerId, first.clientMessageId)).toMatchObject({ turn: null });
      expect(await stores.messages.appendTurn({ ...first, newChat: null })).toMatchObject({
        created: false,
        turn: null,
      });
      expect(await left()).toEqual([9, 8]);
    });

    test('5 times at once, is done once', async () => {
      const { remove, chat } = await tree();
      const outcomes = await Promise.all(times(5, () => remove(2)));
      expect(outcomes.filter((outcome) => outcome !== null)).toHaveLength(1);
      expect((await chat())?.messageCount).toBe(4);
    });

    test('with 12 turns and 4 other deletions at once, leaves a tree without loose ends and a true count', async () => {
      const { ownerId, chatId, id, remove, chat } = await tree();
      const turns = times(12, (i) => newTurn(ownerId, chatId, i % 2 ? {} : { parentId: id(1 + (i % 9)) }));
      const appended = turns.map((turn) => stores.messages.appendTurn(turn).catch(() => null));
      await Promise.all([...appended, ...[2, 5, 9, 4].map((seq) => remove(seq))]);
      const messages = await stores.messages.listMessages(ownerId, chatId, null, 100);
      const ids = new Set<string | null>(messages.map((message) => message.id));
      expect(messages.filter(({ parentId }) => parentId !== null && !ids.has(parentId))).toEqual([]);
      const after = await chat();
      expect(after?.messageCount).toBe(messages.length);
      expect(ids.has(after?.activeLeafId ?? '')).toBe(true);
      const unknown = await Promise.all(turns.map((turn) => stores.messages.findTurn(ownerId, turn.clientMessageId)));
      const kept = unknown.flatMap((stored) => stored?.turn?.reply.id ?? []);
      expect(kept.every((replyId) => ids.has(replyId))).toBe(true);
    });
  });

  describe('setFeedback', () => {
    test('of a reply, is kept exactly, raises its rev, and is replaced by the next', async () => {
      const { ownerId, id } = await tree();
      const before = await stores.messages.findMessage(ownerId, id(4));
      const feedback = { rating: 'down', comment: UGLY_TEXT } as const;
      const after = await stores.messages.setFeedback(ownerId, id(4), feedback, at(7_000));
      expect(after).toEqual({ ...before, feedback, updatedAt: at(7_000), rev: (before?.rev ?? 0) + 1 });
      expect(await stores.messages.findMessage(ownerId, id(4))).toEqual(after);
      const next = { rating: 'up', comment: null } as const;
      expect(await stores.messages.setFeedback(ownerId, id(4), next, at(7_100))).toMatchObject({ feedback: next });
    });

    test('of a running reply, has its text so far and outlives its end', async () => {
      const { ownerId, chatId } = await tree();
      const { reply } = await storeTurn(stores, newTurn(ownerId, chatId));
      await stores.messages.appendLog([{ ownerId, messageId: reply.id, offset: 0, text: 'so far' }]);
      const feedback = { rating: 'up', comment: null } as const;
      expect(await stores.messages.setFeedback(ownerId, reply.id, feedback, at(1))).toMatchObject({
        content: 'so far',
      });
      const settled = await stores.messages.settleReply(ownerId, reply.id, replyEnd());
      expect(settled?.reply).toMatchObject({ content: 'Fine.', feedback });
    });

    test('of a question, of a foreign reply or of none, is null', async () => {
      const { ownerId, id } = await tree();
      const give = (owner: string, message: string) =>
        stores.messages.setFeedback(owner, message, { rating: 'up', comment: null }, at(1));
      expect(await give(ownerId, id(1))).toBeNull();
      expect(await give(newId(), id(2))).toBeNull();
      expect(await give(ownerId, newId())).toBeNull();
    });
  });
};
