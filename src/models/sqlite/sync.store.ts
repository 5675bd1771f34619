import type { ChangePage, Deletion, SyncStore } from '../stores.ts';
import { lastChange } from './changes.ts';
import { toChat, type ChatRow } from './chat.store.ts';
import type { Database } from './database.ts';
import { getMessages } from './message.rows.ts';
import type { Sync } from './sync.ts';
import { fromJson } from './table.ts';

/** The next changes of an owner in their order, without their content; it walks three indexes side by side. */
export const LIST_CHANGES = `
SELECT change, 0 AS bytes FROM chats WHERE owner_id = ?1 AND change > ?2
UNION ALL SELECT change, octet_length(content) FROM messages WHERE owner_id = ?1 AND change > ?2
UNION ALL SELECT change, octet_length(ids) FROM tombstones WHERE owner_id = ?1 AND change > ?2
ORDER BY change LIMIT ?3`;

const rangeSql = (table: string): string =>
  `SELECT * FROM ${table} WHERE owner_id = ? AND change > ? AND change <= ? ORDER BY change`;
const CHATS = rangeSql('chats');
const MESSAGES = rangeSql('messages');
const TOMBSTONES = rangeSql('tombstones');

const DELETE_TOMBSTONES = `
DELETE FROM tombstones WHERE (owner_id, change) IN (
  SELECT owner_id, change FROM tombstones WHERE deleted_at < ? ORDER BY deleted_at LIMIT ?)`;

interface Key {
  readonly change: number;
  readonly bytes: number;
}

/** Positions of the other database begin otherwise. */
const toPosition = (change: number): string => `s${String(change)}`;
const changeOf = (position: string): number => Number(/^s(\d+)$/.exec(position)?.[1] ?? NaN);

/** How many of the changes go on the page. */
const fitting = (keys: readonly Key[], { limit, maxBytes }: ChangePage): number => {
  let bytes = 0;
  const tooMuch = keys.findIndex((key, index) => (bytes += key.bytes) > maxBytes && index > 0);
  return Math.min(limit, tooMuch < 0 ? keys.length : tooMuch);
};

const deletionsOf = ({ kind, ids }: { kind: Deletion['kind']; ids: string }): Deletion[] =>
  (fromJson(ids) as string[]).map((id) => ({ kind, id }));

/**
 * A position is the number of a change. The one writer numbers changes within its transactions, so whoever sees a number
 * sees every lower one, and nothing can land below a position. An entity has the number of its newest change only, so it
 * moves behind the position again whenever it changes.
 */
export const createSyncStore = (db: Database): Sync<SyncStore> => ({
  listChanges: (ownerId, page) => {
    const last = lastChange(db);
    const from = page.after === null ? 0 : changeOf(page.after);
    if (!(from <= last)) return null;
    const keys = db.all(LIST_CHANGES, ownerId, from, page.limit + 1) as Key[];
    const count = fitting(keys, page);
    const more = keys.length > count;
    const to = (more ? keys[count - 1]?.change : null) ?? last;
    return {
      chats: (db.all(CHATS, ownerId, from, to) as ChatRow[]).map(toChat),
      messages: getMessages(db, MESSAGES, ownerId, from, to),
      deleted: (db.all(TOMBSTONES, ownerId, from, to) as Parameters<typeof deletionsOf>[0][]).flatMap(deletionsOf),
      position: toPosition(to),
      more,
    };
  },
  deleteTombstones: (before, limit) => db.run(DELETE_TOMBSTONES, before.getTime(), limit),
});
