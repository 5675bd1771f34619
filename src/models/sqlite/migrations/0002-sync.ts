/**
 * What `SyncStore` reads. Every change of a chat or a message takes the next number of the database (`change`, see
 * `changes.ts`), and whatever deletes one leaves a tombstone. There is one writer, so the numbers rise in the order of the commits.
 * - Changes are numbered by the statements themselves: triggers would do it unasked, but double the cost of a turn
 *   (docs/decisions/2026-11-21-sync.md). A test reads every statement. Deletions are rare, so that is what triggers are for.
 * - A chat's tombstone stands for its messages too: when the chat goes, its `cleared_seq` goes first, and the trigger of
 *   the messages finds none. When a chat is cleared, `cleared_seq` says that the messages up to there are in tombstones
 *   already, many in each row.
 * - A tombstone's time is SQLite's own, since a trigger knows no other.
 */
export const sync = `
CREATE TABLE change_counter (id INTEGER PRIMARY KEY CHECK (id = 1), last INTEGER NOT NULL) STRICT;

ALTER TABLE chats ADD COLUMN change INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chats ADD COLUMN cleared_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN change INTEGER NOT NULL DEFAULT 0;

UPDATE chats SET change = rowid;
UPDATE messages SET change = rowid + (SELECT coalesce(max(rowid), 0) FROM chats);
INSERT INTO change_counter
SELECT 1, (SELECT coalesce(max(rowid), 0) FROM chats) + (SELECT coalesce(max(rowid), 0) FROM messages);

CREATE UNIQUE INDEX chats_by_change ON chats (owner_id, change);
CREATE UNIQUE INDEX messages_by_change ON messages (owner_id, change);

CREATE TABLE tombstones (
  owner_id TEXT NOT NULL,
  change INTEGER NOT NULL,
  kind TEXT NOT NULL,
  ids TEXT NOT NULL,
  deleted_at INTEGER NOT NULL,
  PRIMARY KEY (owner_id, change)
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstones_by_age ON tombstones (deleted_at);

CREATE TRIGGER chats_deleted AFTER DELETE ON chats BEGIN
  UPDATE change_counter SET last = last + 1 WHERE id = 1;
  INSERT INTO tombstones VALUES (OLD.owner_id, (SELECT last FROM change_counter WHERE id = 1), 'chat',
    json_array(OLD.id), CAST(unixepoch('subsec') * 1000 AS INTEGER));
END;
CREATE TRIGGER messages_deleted AFTER DELETE ON messages
WHEN OLD.seq > (SELECT cleared_seq FROM chats WHERE id = OLD.chat_id) BEGIN
  UPDATE change_counter SET last = last + 1 WHERE id = 1;
  INSERT INTO tombstones VALUES (OLD.owner_id, (SELECT last FROM change_counter WHERE id = 1), 'message',
    json_array(OLD.id), CAST(unixepoch('subsec') * 1000 AS INTEGER));
END;
`;
