import type { Database } from './database.ts';

/** Two statements, since `RETURNING` takes twice as long as both. */
const COUNT_CHANGE = 'UPDATE change_counter SET last = last + 1 WHERE id = 1';
const LAST_CHANGE = 'SELECT last FROM change_counter WHERE id = 1';

/**
 * The number of a change that is being written. Every statement that makes a chat or a message, or raises its `rev`, sets
 * `change` to a number of its own, or devices that were away never hear of it. Taken within the caller's
 * transaction, and given again when that is rolled back: nobody has seen it then.
 */
export const nextChange = (db: Database): number => {
  db.run(COUNT_CHANGE);
  return lastChange(db);
};

/** The highest number that was given. */
export const lastChange = (db: Database): number => (db.get(LAST_CHANGE) as { last: number }).last;

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
