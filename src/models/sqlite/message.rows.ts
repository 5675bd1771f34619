import {
  isFinal,
  type Feedback,
  type Latency,
  type Message,
  type ReplyError,
  type Segment,
  type Usage,
} from '../entities.ts';
import { nextChange } from './changes.ts';
import type { Database } from './database.ts';
import { fromJson, inserter, toDate, toJson, toTime } from './table.ts';

interface MessageRow {
  readonly id: string;
  readonly owner_id: string;
  readonly created_by: string;
  readonly chat_id: string;
  readonly seq: number;
  readonly parent_id: string | null;
  readonly role: Message['role'];
  readonly content: string;
  readonly status: Message['status'];
  readonly client_message_id: string | null;
  readonly model: string | null;
  readonly finish_reason: string | null;
  readonly usage: string | null;
  readonly latency_ms: string | null;
  readonly segments: string | null;
  readonly error: string | null;
  readonly feedback: string | null;
  readonly lease_node_id: string | null;
  readonly lease_until: number | null;
  readonly created_at: number;
  readonly updated_at: number;
  readonly rev: number;
}

/** As SQL, word for word the condition of the partial indexes: only then are they used. */
export const IS_UNFINISHED = `status IN ('queued', 'pending', 'streaming')`;
export const IS_RUNNING = `status IN ('pending', 'streaming')`;

/**
 * The text that a reply's log holds. Entries that overlap are cut; after a gap nothing counts,
 * since a client takes `content` for the beginning of the reply.
 */
const readLog = (db: Database, messageId: string): string => {
  let text = '';
  const entries = db.all('SELECT start, text FROM reply_log WHERE message_id = ? ORDER BY start', messageId) as {
    start: number;
    text: string;
  }[];
  for (const entry of entries) {
    if (entry.start > text.length) break;
    text += entry.text.slice(text.length - entry.start);
  }
  return text;
};

const toMessage = (db: Database, row: MessageRow): Message => ({
  id: row.id,
  ownerId: row.owner_id,
  createdBy: row.created_by,
  chatId: row.chat_id,
  seq: row.seq,
  parentId: row.parent_id,
  role: row.role,
  content: isFinal(row.status) ? row.content : readLog(db, row.id),
  status: row.status,
  clientMessageId: row.client_message_id,
  model: row.model,
  finishReason: row.finish_reason,
  usage: fromJson(row.usage) as Usage | null,
  latencyMs: fromJson(row.latency_ms) as Latency | null,
  segments: fromJson(row.segments) as readonly Segment[] | null,
  error: fromJson(row.error) as ReplyError | null,
  feedback: fromJson(row.feedback) as Feedback | null,
  lease:
    row.lease_node_id === null || row.lease_until === null
      ? null
      : { nodeId: row.lease_node_id, until: toDate(row.lease_until) },
  createdAt: toDate(row.created_at),
  updatedAt: toDate(row.updated_at),
  rev: row.rev,
});

/** Runs a statement that returns whole rows of `messages`; unfinished replies get the text of their log. */
export const getMessages = (db: Database, sql: string, ...values: (string | number | null)[]): Message[] =>
  (db.all(sql, ...values) as MessageRow[]).map((row) => toMessage(db, row));

/** The same for a statement that returns one row or none. */
export const getMessage = (db: Database, sql: string, ...values: (string | number | null)[]): Message | null => {
  const row = db.get(sql, ...values) as MessageRow | undefined;
  return row ? toMessage(db, row) : null;
};

/** A message by its full key; also within the writes. */
export const findMessage = (db: Database, ownerId: string, messageId: string): Message | null =>
  getMessage(db, 'SELECT * FROM messages WHERE id = ? AND owner_id = ?', messageId, ownerId);

export const insertMessage = inserter<Message>('messages', {
  id: (message) => message.id,
  owner_id: (message) => message.ownerId,
  created_by: (message) => message.createdBy,
  chat_id: (message) => message.chatId,
  seq: (message) => message.seq,
  parent_id: (message) => message.parentId,
  role: (message) => message.role,
  content: (message) => message.content,
  status: (message) => message.status,
  client_message_id: (message) => message.clientMessageId,
  model: (message) => message.model,
  finish_reason: (message) => message.finishReason,
  usage: (message) => toJson(message.usage),
  latency_ms: (message) => toJson(message.latencyMs),
  segments: (message) => toJson(message.segments),
  error: (message) => toJson(message.error),
  feedback: (message) => toJson(message.feedback),
  lease_node_id: (message) => message.lease?.nodeId ?? null,
  lease_until: (message) => toTime(message.lease?.until ?? null),
  created_at: (message) => message.createdAt.getTime(),
  updated_at: (message) => message.updatedAt.getTime(),
  rev: (message) => message.rev,
  change: (_message, db) => nextChange(db),
});
