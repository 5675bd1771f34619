import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Connection } from 'mongoose';
import { systemClock } from '../../src/lib/clock.ts';
import { newId } from '../../src/lib/ids.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { createChangeSets, type ChangeSets } from '../../src/models/mongo/changeSets.ts';
import { toChatRow } from '../../src/models/mongo/chat.rows.ts';
import { createCollections, insertRow, type Collections } from '../../src/models/mongo/collections.ts';
import { connectOptions, createConnection } from '../../src/models/mongo/connection.ts';
import { openMongoStores } from '../../src/models/mongo/index.ts';
import { toMessageRow } from '../../src/models/mongo/message.rows.ts';
import type { Stores } from '../../src/models/stores.ts';
import { HOW_TO_GET_MONGODB, startMongodb } from '../support/mongodb.ts';
import { at, chainOf, newChat } from './stores/rows.ts';

const logger = createLogger({ level: 'error', service: 'contract', format: 'text', stream: process.stderr });
const mongodb = await startMongodb();
const PAGE = { after: null, limit: 200, maxBytes: 1_000_000 };

/** Interleavings of writers and readers that chance hardly ever makes, step by step. */
(mongodb === null ? describe.skip : describe)(
  `mongodb, change by change${mongodb ? '' : ` (${HOW_TO_GET_MONGODB})`}`,
  () => {
    let stores: Stores;
    let connection: Connection;
    let collections: Collections;
    let sets: ChangeSets;
    beforeAll(async () => {
      const uri = mongodb?.newDatabase() ?? '';
      stores = await openMongoStores({ uri, logger });
      connection = createConnection();
      await connection.openUri(uri, connectOptions(uri));
      collections = createCollections(connection);
      sets = createChangeSets(collections, systemClock);
    });
    afterAll(async () => {
      await connection.close();
      await stores.close();
      await mongodb?.stop();
    });

    const storedChat = async (ownerId = newId()) => {
      const chat = newChat(ownerId);
      await stores.chats.createChat(chat);
      return chat;
    };
    const rowsOf = (...chats: readonly { readonly id: string; readonly rev: number }[]) => ({
      chats: chats.map(({ id, rev }) => ({ _id: id, rev })),
      messages: [],
      tombstones: [],
    });
    const isUnlisted = async (id: string) => (await collections.chats.findOne({ _id: id }).lean())?.unlisted;
    const read = async (ownerId: string, after: string | null = null) => {
      const changes = await stores.sync.listChanges(ownerId, { ...PAGE, after });
      if (!changes) throw new Error('the position is not known');
      return changes;
    };

    test('a row that changes between being read and being listed, keeps its mark and comes again', async () => {
      const chat = await storedChat();
      const { position } = await read(newId());
      await stores.chats.updateChat(chat.ownerId, chat.id, { title: 'Newer' }, at(5));
      await sets.add(chat.ownerId, rowsOf(chat));
      expect(await isUnlisted(chat.id)).toBe(true);
      const first = await read(chat.ownerId, position);
      expect(first.chats).toMatchObject([{ title: 'Newer' }]);
      expect(await isUnlisted(chat.id)).toBe(false);
      expect((await read(chat.ownerId, first.position)).chats).toEqual([]);
    });

    test('a reader that read the end of the chain and then slept, cannot put a set where others have read on', async () => {
      const chat = await storedChat();
      const { ownerId } = chat;
      const before = await sets.last(ownerId);
      const first = await sets.add(ownerId, rowsOf(chat));
      const second = await sets.add(ownerId, rowsOf(chat));
      expect(first.previous).toBe(before);
      expect(second.previous).toBe(first.number);
      expect(second.number).toBeGreaterThan(first.number);
      const late = {
        ownerId,
        number: first.number - 1,
        refs: [{ kind: 'chat', id: chat.id }],
        at: new Date(),
      } as const;
      for (const previous of [before, first.number]) {
        const set = { _id: `${ownerId}:${String(previous)}`, ...late };
        await expect(insertRow(collections.changeSets, set)).rejects.toMatchObject({ code: 11_000 });
      }
      expect((await sets.behind(ownerId, before, 10)).map(({ number }) => number)).toEqual([
        first.number,
        second.number,
      ]);
    });

    test('readers that list at the same time, make one chain', async () => {
      const chat = await storedChat();
      const added = await Promise.all(Array.from({ length: 6 }, () => sets.add(chat.ownerId, rowsOf(chat))));
      const chain = await sets.behind(chat.ownerId, 0, 100);
      expect(chain.map(({ number }) => number)).toEqual(added.map(({ number }) => number).sort((a, b) => a - b));
      expect(new Set(added.map(({ previous }) => previous)).size).toBe(6);
    });

    test('a full read between whose pages another reader listed something, is told of that too', async () => {
      const ownerId = newId();
      const chats = [await storedChat(ownerId), await storedChat(ownerId), await storedChat(ownerId)];
      const first = await stores.sync.listChanges(ownerId, { ...PAGE, limit: 1 });
      const seen = first?.chats[0];
      if (!first || !seen) throw new Error('nothing was read');
      // What the reader has by now changes, and somebody else is the one who lists it.
      await stores.chats.updateChat(ownerId, seen.id, { title: 'Newer' }, at(5));
      await sets.add(ownerId, rowsOf({ ...seen, rev: seen.rev + 1 }));
      const titles = new Map(chats.map(({ id, title }) => [id, title]));
      let page = first;
      while (page.more) {
        page = await read(ownerId, page.position);
        for (const { id, title } of page.chats) titles.set(id, title);
      }
      expect(titles.get(seen.id)).toBe('Newer');
      expect((await read(ownerId, page.position)).chats).toEqual([]);
    });

    test('a message, comes before its chat is there; of a cleared or deleted chat it does not come any more', async () => {
      const ownerId = newId();
      const chat = newChat(ownerId, { lastSeq: 2 });
      const [one, two] = chainOf(ownerId, chat.id, 2).map(toMessageRow);
      if (!one || !two) throw new Error('no chain');
      await insertRow(collections.messages, one);
      const early = await read(ownerId);
      expect(early.messages.map(({ id }) => id)).toEqual([one._id]);

      await insertRow(collections.chats, { ...toChatRow(chat), clearedSeq: 1 });
      await insertRow(collections.messages, two);
      await collections.messages.updateOne({ _id: one._id }, { $inc: { rev: 1 } });
      const cleared = await read(ownerId, early.position);
      expect(cleared.messages.map(({ id }) => id)).toEqual([two._id]);

      await collections.chats.updateOne({ _id: chat.id }, { $set: { deleted: true } });
      await collections.messages.updateOne({ _id: two._id }, { $inc: { rev: 1 } });
      expect(await read(ownerId, cleared.position)).toMatchObject({ chats: [], messages: [] });
      expect(await read(ownerId)).toMatchObject({ chats: [], messages: [] });
    });
  },
);
