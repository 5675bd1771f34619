import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId } from '../../../src/lib/ids.ts';
import type { Message } from '../../../src/models/entities.ts';
import type { Stores } from '../../../src/models/stores.ts';
import { firstTurn, newTurn, storeSettledTurn, storeTurn, times } from './rows.ts';

/** A chat of so many messages in one chain, oldest first. */
export type LongChat = (stores: Stores, count: number) => Promise<readonly Message[]>;

/** Through the front door: all turns at once, so that the database may commit them together. */
export const longChatByTurns: LongChat = async (stores, count) => {
  const ownerId = newId();
  const first = firstTurn(ownerId);
  await stores.messages.appendTurn(first);
  await Promise.all(times(count / 2 - 1, () => stores.messages.appendTurn(newTurn(ownerId, first.chatId))));
  return (await stores.messages.listMessages(ownerId, first.chatId, null, count)).toReversed();
};

/** What the reading methods of `MessageStore` promise. */
export const messageStoreContract = (open: () => Promise<Stores>, makeLongChat: LongChat = longChatByTurns): void => {
  let stores: Stores;
  beforeAll(async () => {
    stores = await open();
  });
  afterAll(() => stores.close());

  const idsOf = (messages: readonly Message[]) => messages.map(({ id }) => id);

  /** question 1 → reply 2 → question 3 → reply 4; reply 5 to question 1; question 6 (sibling of 1) → reply 7, running. */
  const tree = async () => {
    const ownerId = newId();
    const first = firstTurn(ownerId);
    const { chatId } = first;
    const { reply: reply2 } = await storeSettledTurn(stores, first);
    const question1 = first.userMessage?.id ?? '';
    const second = newTurn(ownerId, chatId);
    const { reply: reply4 } = await storeSettledTurn(stores, second);
    const question3 = second.userMessage?.id ?? '';
    const regenerate = newTurn(ownerId, chatId, { parentId: question1, userMessage: null });
    const { reply: reply5 } = await storeSettledTurn(stores, regenerate);
    const { userMessage, reply: reply7 } = await storeTurn(stores, newTurn(ownerId, chatId, { parentId: null }));
    await stores.messages.appendLog([{ ownerId, messageId: reply7.id, offset: 0, text: 'so far' }]);
    const ids = [question1, reply2.id, question3, reply4.id, reply5.id, userMessage.id, reply7.id];
    const id = (seq: number): string => ids[seq - 1] ?? '';
    return { ownerId, chatId, id };
  };

  describe('reading', () => {
    test('findMessage, of an unfinished reply, has what its log holds so far', async () => {
      const { ownerId, id } = await tree();
      expect(await stores.messages.findMessage(ownerId, id(7))).toMatchObject({ seq: 7, content: 'so far' });
    });

    test('listMessages gives all branches, newest first, below a seq and with a limit', async () => {
      const { ownerId, chatId, id } = await tree();
      const all = await stores.messages.listMessages(ownerId, chatId, null, 100);
      expect(idsOf(all)).toEqual([7, 6, 5, 4, 3, 2, 1].map(id));
      expect(all[0]?.content).toBe('so far');
      expect(idsOf(await stores.messages.listMessages(ownerId, chatId, 5, 2))).toEqual([4, 3].map(id));
      expect(await stores.messages.listMessages(ownerId, chatId, 1, 10)).toEqual([]);
    });

    test('listBranch gives a message and its ancestors, newest first, at most so many', async () => {
      const { ownerId, chatId, id } = await tree();
      const branch = async (from: string, limit: number) =>
        idsOf(await stores.messages.listBranch(ownerId, chatId, from, limit));
      expect(await branch(id(4), 10)).toEqual([4, 3, 2, 1].map(id));
      expect(await branch(id(4), 3)).toEqual([4, 3, 2].map(id));
      expect(await branch(id(5), 10)).toEqual([5, 1].map(id));
      expect(await branch(id(1), 1)).toEqual([id(1)]);
      const running = await stores.messages.listBranch(ownerId, chatId, id(7), 10);
      expect(idsOf(running)).toEqual([7, 6].map(id));
      expect(running[0]?.content).toBe('so far');
    });

    test('listBranch, from what is not in the chat, is empty', async () => {
      const { ownerId, chatId } = await tree();
      const other = await tree();
      expect(await stores.messages.listBranch(ownerId, chatId, newId(), 10)).toEqual([]);
      expect(await stores.messages.listBranch(ownerId, chatId, other.id(4), 10)).toEqual([]);
      expect(await stores.messages.listBranch(other.ownerId, chatId, other.id(4), 10)).toEqual([]);
    });

    test('listChildren gives the siblings in order of seq; with null the roots', async () => {
      const { ownerId, chatId, id } = await tree();
      const children = async (parentId: string | null) =>
        idsOf(await stores.messages.listChildren(ownerId, chatId, parentId));
      expect(await children(null)).toEqual([1, 6].map(id));
      expect(await children(id(1))).toEqual([2, 5].map(id));
      expect(await children(id(4))).toEqual([]);
      expect((await stores.messages.listChildren(ownerId, chatId, id(6)))[0]?.content).toBe('so far');
    });

    test('listUnfinished gives the replies that are not final, in order of seq', async () => {
      const { ownerId, chatId, id } = await tree();
      const { reply } = await storeTurn(stores, newTurn(ownerId, chatId));
      const unfinished = await stores.messages.listUnfinished(ownerId, chatId);
      expect(idsOf(unfinished)).toEqual([id(7), reply.id]);
      expect(unfinished.map(({ status, content }) => [status, content])).toEqual([
        ['pending', 'so far'],
        ['queued', ''],
      ]);
    });

    test('every method, asked by a foreign owner or for another chat, finds nothing', async () => {
      const { ownerId, chatId, id } = await tree();
      expect(await stores.messages.findMessage(newId(), id(1))).toBeNull();
      for (const [owner, chat] of [
        [newId(), chatId],
        [ownerId, newId()],
      ] as const) {
        expect(await stores.messages.listMessages(owner, chat, null, 10)).toEqual([]);
        expect(await stores.messages.listBranch(owner, chat, id(4), 10)).toEqual([]);
        expect(await stores.messages.listChildren(owner, chat, null)).toEqual([]);
        expect(await stores.messages.listUnfinished(owner, chat)).toEqual([]);
      }
    });
  });

  test('a chat of 10,000 messages, read in pages and as a branch, is whole', async () => {
    const chain = await makeLongChat(stores, 10_000);
    const last = chain.at(-1);
    if (!last || chain.length !== 10_000) throw new Error('the chat is not that long');
    const { ownerId, chatId } = last;
    expect(chain.map(({ seq }) => seq)).toEqual(times(10_000, (i) => i + 1));

    const seqs: number[] = [];
    let before: number | null = null;
    do {
      const page: Message[] = await stores.messages.listMessages(ownerId, chatId, before, 5_000);
      seqs.push(...page.map(({ seq }) => seq));
      before = page.at(-1)?.seq ?? null;
    } while (before !== null && before > 1);
    expect(seqs).toEqual(times(10_000, (i) => 10_000 - i));

    const branch = await stores.messages.listBranch(ownerId, chatId, last.id, 20_000);
    expect(idsOf(branch)).toEqual(idsOf(chain.toReversed()));
    const middle = chain[4_999];
    const window = await stores.messages.listBranch(ownerId, chatId, middle?.id ?? '', 20);
    expect(window.map(({ seq }) => seq)).toEqual(times(20, (i) => 5_000 - i));
    // A branch that leaves the trunk far behind its newest message.
    const early = await storeTurn(stores, newTurn(ownerId, chatId, { parentId: chain[9]?.id }));
    const offTrunk = await stores.messages.listBranch(ownerId, chatId, early.reply.id, 100);
    expect(offTrunk.map(({ seq }) => seq)).toEqual([10_002, 10_001, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
  }, 120_000);
};
