import { trusted, type Model, type QueryFilter } from 'mongoose';
import type { Clock } from '../../lib/clock.ts';
import type { ChangePage, Changes, SyncStore } from '../stores.ts';
import { createChangeFeed } from './changeFeed.ts';
import type { ChangePart } from './changeRows.ts';
import { createChangeSets } from './changeSets.ts';
import { RELAXED, type Collections } from './collections.ts';
import { createFullRead } from './fullRead.ts';
import { readPosition, writePosition, type SyncPosition } from './syncPosition.ts';

/** Removes at most `limit` rows. */
const deleteSome = async <Row extends { readonly _id: string }>(
  model: Model<Row>,
  filter: QueryFilter<Row>,
  limit: number,
): Promise<number> => {
  if (limit === 0) return 0;
  const rows = await model.find(filter).select('_id').limit(limit).lean();
  const ids = rows.map(({ _id }) => _id);
  if (ids.length > 0) await model.deleteMany({ _id: trusted({ $in: ids }) } as QueryFilter<Row>, RELAXED);
  return ids.length;
};

const roomLeft = (page: ChangePart['used'], { used }: ChangePart): ChangePart['used'] => ({
  limit: page.limit - used.limit,
  maxBytes: page.maxBytes - used.maxBytes,
});

/** The parts as one page. What a later part tells as deleted, an earlier one may still have. */
const merged = (parts: readonly ChangePart[]): Omit<Changes, 'position' | 'more'> => {
  const deleted = parts.flatMap((part) => part.deleted);
  const gone = new Set(deleted.map(({ id }) => id));
  return {
    chats: parts.flatMap((part) => part.chats).filter(({ id }) => !gone.has(id)),
    messages: parts.flatMap((part) => part.messages).filter(({ id, chatId }) => !gone.has(id) && !gone.has(chatId)),
    deleted,
  };
};

/** How the order of changes comes about is said in changeSets.ts. */
export const createSyncStore = (collections: Collections, clock: Clock): SyncStore => {
  const sets = createChangeSets(collections, clock);
  const readAll = createFullRead(collections, sets);
  const readChanges = createChangeFeed(collections, sets);

  const begin = async (ownerId: string): Promise<SyncPosition> => ({
    number: await sets.last(ownerId),
    skip: 0,
    scan: { in: 'chats', after: null },
  });

  /** One part after another until the page is full or the reader is where the account is. */
  const fill = async (ownerId: string, from: SyncPosition, page: ChangePage): Promise<ChangePart[]> => {
    const parts: ChangePart[] = [];
    let position = from;
    let room: ChangePart['used'] = page;
    for (;;) {
      const isFullRead = position.scan !== null;
      const part = await (isFullRead ? readAll : readChanges)(ownerId, position, room);
      parts.push(part);
      ({ position } = part);
      room = roomLeft(room, part);
      const isFull = room.limit <= 0 || room.maxBytes <= 0;
      if (!isFullRead || isFull) return parts;
    }
  };

  return {
    listChanges: async (ownerId, page): Promise<Changes | null> => {
      const from = page.after === null ? await begin(ownerId) : readPosition(page.after);
      if (!from) return null;
      const parts = await fill(ownerId, from, page);
      const last = parts.at(-1);
      return {
        ...merged(parts),
        position: writePosition(last?.position ?? from),
        more: last?.more ?? false,
      };
    },

    deleteTombstones: async (before, limit) => {
      const isOld = trusted({ $lt: before });
      const count = await deleteSome(collections.tombstones, { deletedAt: isOld }, limit);
      return count + (await deleteSome(collections.changeSets, { at: isOld }, limit - count));
    },
  };
};
