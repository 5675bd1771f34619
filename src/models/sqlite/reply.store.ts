import type { LogEntry, MessageStore, ReplyEnd } from '../stores.ts';
import { nextChange } from './changes.ts';
import { toChat, type ChatRow } from './chat.store.ts';
import type { Database } from './database.ts';
import { getMessage, getMessages, IS_RUNNING, IS_UNFINISHED } from './message.rows.ts';
import type { Sync } from './sync.ts';
import { toJson } from './table.ts';

const CLAIM_REPLY = `
UPDATE messages SET status = 'pending', lease_node_id = ?, lease_until = ?, updated_at = ?, rev = rev + 1,
  change = ?
WHERE id = ? AND owner_id = ? AND status = 'queued'`;

const START_REPLY = `
UPDATE messages SET status = 'streaming', is_asked = 1, model = ?1, updated_at = ?2, rev = rev + 1, change = ?3
WHERE id = ?4 AND owner_id = ?5 AND status = 'pending' AND (?6 IS NULL OR lease_node_id = ?6)`;

const REOPEN_REPLY = `
UPDATE messages SET status = 'queued', error = NULL, latency_ms = NULL, lease_node_id = NULL, lease_until = NULL,
  updated_at = ?1, rev = rev + 1, change = ?2
WHERE id = ?3 AND owner_id = ?4 AND is_asked = 0
  AND (status = 'interrupted' OR (status = 'pending' AND lease_until < ?1)) RETURNING *`;

/**
 * UTF-16 units up to which a row of the log grows. A row per tick would cost three times the space and as many
 * deletions as there were ticks; a row without bound would be written anew, as a whole, at every tick.
 */
const ROW_UNITS = 1000;

/** The usual entry begins where the log ends. That there is a log says that the reply is not final: its end drops it. */
const EXTEND_LOG = `
UPDATE reply_log SET text = text || ?1, units = units + ?2
WHERE message_id = ?3 AND start = (SELECT max(start) FROM reply_log WHERE message_id = ?3)
  AND start + units = ?4 AND units < ${String(ROW_UNITS)} AND owner_id = ?5`;

/** Any other: nothing is added for a reply that is final or gone, nor where there is text already. */
const INSERT_LOG = `
INSERT INTO reply_log (message_id, owner_id, start, units, text)
SELECT id, owner_id, ?1, ?2, ?3 FROM messages
WHERE id = ?4 AND owner_id = ?5 AND ${IS_UNFINISHED} AND ?1 >= coalesce(
  (SELECT start + units FROM reply_log WHERE message_id = ?4 AND start <= ?1 ORDER BY start DESC LIMIT 1), 0)
ON CONFLICT DO NOTHING`;

const SETTLE_REPLY = `
UPDATE messages SET status = ?, content = ?, model = ?, finish_reason = ?, usage = ?, latency_ms = ?, segments = ?, error = ?,
  lease_node_id = NULL, lease_until = NULL, updated_at = ?, rev = rev + 1, change = ?
WHERE id = ? AND owner_id = ? AND ${IS_UNFINISHED} AND lease_node_id IS coalesce(?, lease_node_id) RETURNING *`;

const SETTLE_CHAT = `
UPDATE chats SET
  last_message_preview = iif(active_leaf_id = ?, coalesce(?, last_message_preview), last_message_preview),
  updated_at = ?, rev = rev + 1, change = ?
WHERE id = ? RETURNING *`;

const RENEW_LEASES = `
UPDATE messages SET lease_until = ?
WHERE id IN (SELECT value FROM json_each(?)) AND lease_node_id = ? AND ${IS_RUNNING} RETURNING id`;

const RELEASE_LEASES = `UPDATE messages SET lease_until = 0 WHERE lease_until > 0 AND ${IS_RUNNING}`;

/** Two walks, each over an index that holds nothing but unfinished replies; the longest overdue come first. */
export const LIST_LAPSED = `
SELECT messages.* FROM (
  SELECT * FROM (SELECT id, lease_until AS due FROM messages WHERE lease_until < ? AND ${IS_RUNNING} ORDER BY due LIMIT ?)
  UNION ALL
  SELECT * FROM (SELECT id, created_at AS due FROM messages WHERE created_at < ? AND status = 'queued' ORDER BY due LIMIT ?)
  ORDER BY due LIMIT ?
) AS lapsed CROSS JOIN messages ON messages.id = lapsed.id ORDER BY due`;

/** Values of `SETTLE_REPLY` in its order. */
const valuesOf = (end: ReplyEnd): (string | number | null)[] => [
  end.status,
  end.content,
  end.model,
  end.finishReason,
  toJson(end.usage),
  toJson(end.latencyMs),
  toJson(end.segments),
  toJson(end.error),
  end.at.getTime(),
];

/**
 * Ends every lease. Only for the one process that has the database to itself, at its start:
 * whoever held them is dead, so that their replies need not wait for the lease to run out.
 * @returns how many leases there were
 */
export const releaseLeases = (db: Database): number => db.run(RELEASE_LEASES);

type ReplyMethods =
  'claimReply' | 'startReply' | 'reopenReply' | 'appendLog' | 'settleReply' | 'renewLeases' | 'listLapsedReplies';

const appendEntry = (db: Database, { ownerId, messageId, offset, text }: LogEntry): void => {
  const isExtended = db.run(EXTEND_LOG, text, text.length, messageId, offset, ownerId) === 1;
  if (!isExtended) db.run(INSERT_LOG, offset, text.length, text, messageId, ownerId);
};

export const createReplyStore = (db: Database): Pick<Sync<MessageStore>, ReplyMethods> => ({
  claimReply: (ownerId, messageId, lease, at) =>
    db.run(CLAIM_REPLY, lease.nodeId, lease.until.getTime(), at.getTime(), nextChange(db), messageId, ownerId) === 1,
  startReply: (ownerId, messageId, model, { nodeId, at }) =>
    db.run(START_REPLY, model, at.getTime(), nextChange(db), messageId, ownerId, nodeId ?? null) === 1,
  reopenReply: (ownerId, messageId, at) =>
    getMessage(db, REOPEN_REPLY, at.getTime(), nextChange(db), messageId, ownerId),
  appendLog: (entries) => {
    for (const entry of entries) appendEntry(db, entry);
  },
  settleReply: (ownerId, messageId, end) => {
    const values = [...valuesOf(end), nextChange(db), messageId, ownerId, end.nodeId ?? null];
    const reply = getMessage(db, SETTLE_REPLY, ...values);
    if (!reply) return null;
    db.run('DELETE FROM reply_log WHERE message_id = ?', messageId);
    const ofChat = [messageId, end.preview, end.at.getTime(), nextChange(db)];
    const row = db.get(SETTLE_CHAT, ...ofChat, reply.chatId) as ChatRow | undefined;
    return row ? { reply, chat: toChat(row) } : null;
  },
  renewLeases: (nodeId, messageIds, until) =>
    (db.all(RENEW_LEASES, until.getTime(), JSON.stringify(messageIds), nodeId) as { id: string }[]).map(
      (row) => row.id,
    ),
  listLapsedReplies: (now, queuedBefore, limit) =>
    getMessages(db, LIST_LAPSED, now.getTime(), limit, queuedBefore.getTime(), limit, limit),
});
