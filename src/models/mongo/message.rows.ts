import type { Message, MessageStatus } from '../entities.ts';
import type { Collections } from './collections.ts';
import { UNFINISHED, type MessageRow } from './message.model.ts';
import { readLogs } from './replyLog.ts';

export const toMessageRow = ({ id, ...message }: Message): MessageRow => ({
  _id: id,
  ...message,
  settledAs: null,
  settledPreview: null,
});

/** Readers know nothing of `settling`: such a reply is final. */
const statusOf = (row: MessageRow): MessageStatus =>
  row.status === 'settling' ? (row.settledAs ?? 'failed') : row.status;

const isUnfinished = (row: MessageRow): boolean => UNFINISHED.includes(row.status);

/** @param content what the log holds, of a reply that is not final */
export const toMessage = (row: MessageRow, content = row.content): Message => ({
  id: row._id,
  ownerId: row.ownerId,
  createdBy: row.createdBy,
  chatId: row.chatId,
  seq: row.seq,
  parentId: row.parentId,
  role: row.role,
  content,
  status: statusOf(row),
  clientMessageId: row.clientMessageId,
  model: row.model,
  finishReason: row.finishReason,
  usage: row.usage,
  latencyMs: row.latencyMs,
  segments: row.segments,
  error: row.error,
  lease: row.lease,
  createdAt: row.createdAt,
  updatedAt: row.updatedAt,
  rev: row.rev,
});

/** The rows as entities, in their order; one read for the logs of all replies among them that are not final. */
export const toMessages = async (collections: Collections, rows: readonly MessageRow[]): Promise<Message[]> => {
  const unfinished = rows.filter(isUnfinished).map(({ _id, ownerId }) => ({ messageId: _id, ownerId }));
  const texts = await readLogs(collections, unfinished);
  return rows.map((row) => (isUnfinished(row) ? toMessage(row, texts.get(row._id) ?? '') : toMessage(row)));
};
