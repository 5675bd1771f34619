import type { Database } from './database.ts';

const NEXT_CHANGE = 'UPDATE change_counter SET last = last + 1 WHERE id = 1 RETURNING last';

/**
 * The number of a change that is being written. Every statement that makes a chat or a message, or raises its `rev`, sets
 * `change` to a number of its own, or devices that were away never hear of it. Within the caller's transaction: a number
 * that was taken and rolled back leaves a gap, which hurts nobody.
 */
export const nextChange = (db: Database): number => (db.get(NEXT_CHANGE) as { last: number }).last;

/** Messages that one tombstone stands for: as many as are told at once. */
const TOMBSTONE_IDS = 100;

const INSERT_TOMBSTONE = `
INSERT INTO tombstones (owner_id, change, kind, ids, deleted_at)
VALUES (?, ?, 'message', ?, CAST(unixepoch('subsec') * 1000 AS INTEGER))`;

/** Tells of messages that are deleted together and whose chat stays: few rows, where the triggers would leave one for each. */
export const buryMessages = (db: Database, ownerId: string, ids: readonly string[]): void => {
  for (let from = 0; from < ids.length; from += TOMBSTONE_IDS) {
    db.run(INSERT_TOMBSTONE, ownerId, nextChange(db), JSON.stringify(ids.slice(from, from + TOMBSTONE_IDS)));
  }
};
