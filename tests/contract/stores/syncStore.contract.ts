import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId } from '../../../src/lib/ids.ts';
import type { ChangePage, Changes, Stores } from '../../../src/models/stores.ts';
import { createDevice, type Device } from '../../support/device.ts';
import { createRandom, seedOf, type Random } from '../../support/random.ts';
import { longChatByTurns, type LongChat } from './messageStore.contract.ts';
import { at, firstTurn, newChat, newTurn, newUser, replyEnd, storeSettledTurn, storeTurn, times } from './rows.ts';

const PAGE: ChangePage = { after: null, limit: 200, maxBytes: 1_000_000 };
/** Later than any deletion of a test. */
const SOON = new Date(Date.now() + 3_600_000);

/** What `SyncStore` promises. */
export const syncStoreContract = (open: () => Promise<Stores>, makeLongChat: LongChat = longChatByTurns): void => {
  let stores: Stores;
  beforeAll(async () => {
    stores = await open();
  });
  afterAll(() => stores.close());

  const read = async (ownerId: string, page: Partial<ChangePage> = {}): Promise<Changes> => {
    const changes = await stores.sync.listChanges(ownerId, { ...PAGE, ...page });
    if (!changes) throw new Error('the position is not known');
    return changes;
  };

  /** Reads until there is no more. Returns the last position. */
  const catchUp = async (device: Device, ownerId: string, page: Partial<ChangePage> = {}): Promise<string> => {
    let after = page.after ?? null;
    for (;;) {
      const changes = await read(ownerId, { ...page, after });
      device.apply(changes);
      after = changes.position;
      if (!changes.more) return after;
    }
  };

  const fullRead = async (ownerId: string) => {
    const device = createDevice();
    await catchUp(device, ownerId);
    return device.holds();
  };

  /** The account as the other methods tell it. */
  const truthOf = async (ownerId: string) => {
    const page = { sort: 'createdAt', titleQuery: null, after: null, limit: 1000 } as const;
    const chats = await stores.chats.listChats(ownerId, page);
    const messages = await Promise.all(chats.map((chat) => stores.messages.listMessages(ownerId, chat.id, null, 1000)));
    const truth = createDevice();
    truth.apply({ chats, messages: messages.flat(), deleted: [] });
    return truth.holds();
  };

  const accountWith = async (turns: number) => {
    const ownerId = newId();
    const first = firstTurn(ownerId);
    await storeSettledTurn(stores, first);
    for (let count = 1; count < turns; count += 1) await storeSettledTurn(stores, newTurn(ownerId, first.chatId));
    return { ownerId, chatId: first.chatId };
  };

  const idsOf = (changes: Changes) => ({
    chats: changes.chats.map(({ id }) => id),
    messages: changes.messages.map(({ id }) => id),
    deleted: changes.deleted,
  });
  const NOTHING = { chats: [], messages: [], deleted: [] };

  describe('listChanges', () => {
    test('of an empty account, has nothing, and its position is good', async () => {
      const ownerId = newId();
      const { position, more, ...rest } = await read(ownerId);
      expect({ more, ...rest }).toEqual({ more: false, ...NOTHING });
      const chat = newChat(ownerId);
      await stores.chats.createChat(chat);
      expect(await read(ownerId, { after: position })).toMatchObject({ ...NOTHING, chats: [chat], more: false });
    });

    test.each([1, 2, 3, 7])('from the beginning, in pages of %d, gives every entity as it is', async (limit) => {
      const { ownerId } = await accountWith(4);
      await stores.chats.createChat(newChat(ownerId));
      await stores.chats.createChat(newChat(ownerId));
      const device = createDevice();
      await catchUp(device, ownerId, { limit });
      expect(device.holds()).toEqual(await truthOf(ownerId));
      expect(device.holds().messages).toHaveLength(8);
    });

    test('a page, has at most as many changes as were asked for, and says that there is more', async () => {
      const { ownerId } = await accountWith(3);
      const { position } = await read(ownerId);
      await storeSettledTurn(stores, firstTurn(ownerId));
      for (const after of [null, position]) {
        const page = await read(ownerId, { after, limit: 2 });
        expect(page.chats.length + page.messages.length).toBe(2);
        expect(page.more).toBe(true);
      }
    });

    test('long texts, end a page early, and one that is too long alone has a page of its own', async () => {
      const ownerId = newId();
      const { position } = await read(ownerId);
      const turn = firstTurn(ownerId);
      await storeTurn(stores, turn);
      await stores.messages.settleReply(ownerId, turn.reply.id, replyEnd({ content: 'x'.repeat(5000) }));
      for (const after of [null, position]) {
        const device = createDevice();
        let page = await read(ownerId, { after, maxBytes: 1000 });
        device.apply(page);
        let pages = 1;
        while (page.more) {
          page = await read(ownerId, { after: page.position, maxBytes: 1000 });
          device.apply(page);
          pages += 1;
        }
        expect(pages).toBeGreaterThan(1);
        expect(device.holds()).toEqual(await truthOf(ownerId));
      }
    });

    test('without a change between, has nothing', async () => {
      const { ownerId } = await accountWith(2);
      const after = await catchUp(createDevice(), ownerId);
      expect(await read(ownerId, { after })).toMatchObject({ ...NOTHING, more: false });
    });

    test('of another owner, has nothing of this one, from whichever position', async () => {
      const { ownerId, chatId } = await accountWith(1);
      const { position } = await read(ownerId, { limit: 1 });
      await stores.chats.clearChat(ownerId, chatId, at(9_000));
      await stores.chats.deleteChat(ownerId, chatId);
      expect(await read(newId())).toMatchObject(NOTHING);
      expect(await read(newId(), { after: position })).toMatchObject(NOTHING);
    });

    test('from what is no position of this database, is null', async () => {
      for (const after of ['', 'x', 's', 'm', 's-1', 's1e9', 's999999999999', 'm1', 'm1.2.x', '{"$gt":0}', '💥']) {
        const found = await stores.sync.listChanges(newId(), { ...PAGE, after });
        expect(found === null ? after : `${after} was taken`).toBe(after);
      }
    });
  });

  describe('a change', () => {
    /** What each call changes, after it. */
    const CHANGES: Readonly<
      Record<string, (ids: { ownerId: string; chatId: string; replyId: string }) => Promise<unknown>>
    > = {
      updateChat: ({ ownerId, chatId }) => stores.chats.updateChat(ownerId, chatId, { title: 'Renamed' }, at(5)),
      appendTurn: ({ ownerId, chatId }) => storeTurn(stores, newTurn(ownerId, chatId)),
      startReply: ({ ownerId, replyId }) => stores.messages.startReply(ownerId, replyId, 'maker/model', { at: at(5) }),
      settleReply: ({ ownerId, replyId }) => stores.messages.settleReply(ownerId, replyId, replyEnd()),
      setFeedback: ({ ownerId, replyId }) =>
        stores.messages.setFeedback(ownerId, replyId, { rating: 'up', comment: null }, at(5)),
      showBranch: ({ ownerId, chatId, replyId }) => stores.messages.showBranch(ownerId, chatId, replyId, at(5)),
      deleteMessage: ({ ownerId, replyId }) => stores.messages.deleteMessage(ownerId, replyId, at(5)),
      clearChat: ({ ownerId, chatId }) => stores.chats.clearChat(ownerId, chatId, at(5)),
      deleteChat: ({ ownerId, chatId }) => stores.chats.deleteChat(ownerId, chatId),
      deleteChats: ({ ownerId }) => stores.chats.deleteChats(ownerId),
      claimReply: async ({ ownerId, chatId }) => {
        const { reply } = await storeTurn(stores, newTurn(ownerId, chatId));
        await stores.messages.claimReply(ownerId, reply.id, { nodeId: 'n', until: at(9) }, at(5));
      },
      reopenReply: async ({ ownerId, replyId }) => {
        await stores.messages.settleReply(ownerId, replyId, replyEnd({ status: 'interrupted' }));
        await stores.messages.reopenReply(ownerId, replyId, at(6));
      },
    };

    test.each(Object.keys(CHANGES))('by %s, is told to who was there before it', async (name) => {
      const { ownerId, chatId } = await accountWith(2);
      const { reply } = await storeTurn(stores, newTurn(ownerId, chatId));
      const device = createDevice();
      const after = await catchUp(device, ownerId);
      const before = device.holds();
      await CHANGES[name]?.({ ownerId, chatId, replyId: reply.id });
      await catchUp(device, ownerId, { after, limit: 2 });
      expect(device.holds()).toEqual(await truthOf(ownerId));
      expect(device.holds()).not.toEqual(before);
    });

    test('of a running reply’s text, is none, but the reply has it when it comes', async () => {
      const ownerId = newId();
      const turn = firstTurn(ownerId);
      const { reply } = await storeTurn(stores, turn);
      const after = await catchUp(createDevice(), ownerId);
      await stores.messages.appendLog([{ ownerId, messageId: reply.id, offset: 0, text: 'so far' }]);
      expect(await read(ownerId, { after })).toMatchObject(NOTHING);
      await stores.messages.startReply(ownerId, reply.id, 'maker/model', { at: at(5) });
      const { messages } = await read(ownerId, { after });
      expect(messages).toMatchObject([{ id: reply.id, status: 'streaming', content: 'so far' }]);
    });

    test('a lease, renewed, is none', async () => {
      const { ownerId, chatId } = await accountWith(1);
      const { reply, userMessage } = await storeTurn(stores, newTurn(ownerId, chatId));
      const after = await catchUp(createDevice(), ownerId);
      await stores.messages.renewLeases('node-1', [reply.id, userMessage.id], at(99_000));
      expect(await read(ownerId, { after })).toMatchObject(NOTHING);
    });
  });

  describe('at the same time', () => {
    /** One thing that a client would do, with whatever the writer knows. */
    const act = async (random: Random, ownerId: string, chatIds: string[], step: number): Promise<void> => {
      const chatId = chatIds.length === 0 || random.isTrue(0.15) ? null : random.pick(chatIds);
      if (chatId === null) {
        const turn = firstTurn(ownerId);
        await storeTurn(stores, turn);
        chatIds.push(turn.chatId);
        return;
      }
      const choice = random.below(10);
      if (choice < 4) {
        const turn = newTurn(ownerId, chatId);
        const stored = await stores.messages.appendTurn(turn).catch(() => null);
        if (stored) await stores.messages.settleReply(ownerId, turn.reply.id, replyEnd({ content: String(step) }));
      } else if (choice < 7) {
        await stores.chats.updateChat(ownerId, chatId, { title: `t${String(step)}` }, at(step));
      } else if (choice === 7) {
        const [message] = await stores.messages.listMessages(ownerId, chatId, null, 1);
        if (message) await stores.messages.deleteMessage(ownerId, message.id, at(step));
      } else if (choice === 8) {
        await stores.chats.clearChat(ownerId, chatId, at(step));
      } else {
        await stores.chats.deleteChat(ownerId, chatId);
      }
    };

    test('writers write and devices read, and each device ends with the account as it is', async () => {
      const seed = seedOf('SyncStore');
      const ownerId = newId();
      const other = await accountWith(1);
      const chatIds: string[] = [];
      // FerretDB reads a whole collection for each query.
      const [writerCount, steps] = stores.kind === 'sqlite' ? [4, 60] : [3, 6];
      const writers = times(writerCount, (writer) => createRandom(seed + writer));
      let areWriting = true;

      const write = async (random: Random): Promise<void> => {
        for (let step = 0; step < steps; step += 1) await act(random, ownerId, chatIds, step);
      };
      const follow = async (index: number): Promise<Device> => {
        const random = createRandom(seed + 100 + index);
        const device = createDevice(random);
        let after: string | null = null;
        while (areWriting) {
          if (after === null) device.forget();
          const page = await read(ownerId, { after, limit: 1 + random.below(12) });
          device.apply(page);
          // Now and then its cursor is lost once the page was kept, and the device asks again from where it was.
          if (!random.isTrue(0.2)) after = page.position;
          // SQLite answers reads at once: without this nobody else would ever get to run.
          await stores.ping();
        }
        if (after === null) device.forget();
        await catchUp(device, ownerId, { after, limit: 1 + random.below(12) });
        return device;
      };

      const devices = times(2, follow);
      await Promise.all(writers.map(write));
      areWriting = false;
      const truth = await truthOf(ownerId);
      expect(await fullRead(ownerId)).toEqual(truth);
      for (const device of await Promise.all(devices)) expect(device.holds()).toEqual(truth);
      const foreign = new Set((await truthOf(other.ownerId)).messages.map(({ id }) => id));
      expect(truth.messages.filter(({ id }) => foreign.has(id))).toEqual([]);
    }, 60_000);

    test('several devices that come for the first time, all get all, and then nothing twice', async () => {
      const { ownerId } = await accountWith(3);
      const truth = await truthOf(ownerId);
      const readers = times(stores.kind === 'sqlite' ? 10 : 3, async () => {
        const device = createDevice();
        const after = await catchUp(device, ownerId, { limit: 3 });
        return { device, after };
      });
      for (const { device, after } of await Promise.all(readers)) {
        expect(device.holds()).toEqual(truth);
        const rest = createDevice();
        await catchUp(rest, ownerId, { after });
        for (const entity of rest.holds().messages) expect(truth.messages).toContainEqual(entity);
      }
    });
  });

  describe('a deletion', () => {
    test('of a chat, is one, which stands for its messages', async () => {
      const { ownerId, chatId } = await accountWith(3);
      const after = await catchUp(createDevice(), ownerId);
      await stores.chats.deleteChat(ownerId, chatId);
      expect(idsOf(await read(ownerId, { after }))).toEqual({ ...NOTHING, deleted: [{ kind: 'chat', id: chatId }] });
    });

    test('by clearing a chat of 150 messages, names each of them, and the chat comes as it is', async () => {
      const { ownerId = '', chatId = '' } = (await makeLongChat(stores, 150)).at(0) ?? {};
      const device = createDevice();
      const after = await catchUp(device, ownerId);
      const held = device.holds().messages.map(({ id }) => id);
      expect(held).toHaveLength(150);
      const cleared = await stores.chats.clearChat(ownerId, chatId, at(9_000));
      const next = await storeTurn(stores, newTurn(ownerId, chatId));
      const changes = await read(ownerId, { after });
      expect(changes.chats.at(-1)).toEqual(next.chat);
      expect(next.chat.rev).toBe((cleared?.rev ?? 0) + 1);
      expect(changes.deleted.map(({ kind, id }) => `${kind} ${id}`).sort()).toEqual(
        held.map((id) => `message ${id}`).sort(),
      );
      expect(changes.messages.map(({ id }) => id).sort()).toEqual([next.userMessage.id, next.reply.id].sort());
    });

    test('of what a reader never had, does it no harm', async () => {
      const { ownerId, chatId } = await accountWith(2);
      await stores.chats.clearChat(ownerId, chatId, at(9_000));
      const other = await accountWith(1);
      await stores.chats.deleteChat(other.ownerId, other.chatId);
      expect(await fullRead(ownerId)).toEqual(await truthOf(ownerId));
      expect(await fullRead(other.ownerId)).toEqual({ chats: [], messages: [] });
    });

    test('while a full read is at page 1, is told on a later page', async () => {
      const { ownerId, chatId } = await accountWith(3);
      const device = createDevice();
      const first = await read(ownerId, { limit: 3 });
      device.apply(first);
      await stores.chats.deleteChat(ownerId, chatId);
      await catchUp(device, ownerId, { after: first.position, limit: 3 });
      expect(device.holds()).toEqual({ chats: [], messages: [] });
    });

    test('of an account, leaves nothing to read', async () => {
      const user = newUser();
      await stores.users.createUser(user);
      const turn = firstTurn(user.id);
      await storeSettledTurn(stores, turn);
      const { position } = await read(user.id);
      await stores.chats.clearChat(user.id, turn.chatId, at(9_000));
      await read(user.id);
      await stores.users.deleteUser(user.id);
      expect(await read(user.id, { after: position })).toMatchObject(NOTHING);
      expect(await read(user.id)).toMatchObject(NOTHING);
    });
  });

  // Last: it forgets the deletions of every owner.
  describe('deleteTombstones', () => {
    test('forgets what was deleted before, in batches, and nothing else; positions from before go on', async () => {
      const gone = await accountWith(1);
      const cleared = await accountWith(1);
      const old = [await read(gone.ownerId), await read(cleared.ownerId)].map(({ position }) => position);
      await stores.chats.deleteChat(gone.ownerId, gone.chatId);
      await stores.chats.clearChat(cleared.ownerId, cleared.chatId, at(9_000));
      const device = createDevice();
      const after = await catchUp(device, cleared.ownerId, { after: old[1] ?? null });

      expect(await stores.sync.deleteTombstones(new Date(Date.now() - 3_600_000), 1000)).toBe(0);
      expect((await read(gone.ownerId, { after: old[0] ?? null })).deleted).toHaveLength(1);
      expect(await stores.sync.deleteTombstones(SOON, 1)).toBe(1);
      while ((await stores.sync.deleteTombstones(SOON, 1000)) > 0);

      expect((await read(gone.ownerId, { after: old[0] ?? null })).deleted).toEqual([]);
      expect(await fullRead(cleared.ownerId)).toEqual(await truthOf(cleared.ownerId));
      await storeTurn(stores, newTurn(cleared.ownerId, cleared.chatId));
      await catchUp(device, cleared.ownerId, { after });
      expect(device.holds()).toEqual(await truthOf(cleared.ownerId));
    });
  });
};
