import { trusted } from 'mongoose';
import type { Message, MessageStatus } from '../entities.ts';
import type { Collections } from './collections.ts';
import { UNFINISHED, type MessageRow } from './message.model.ts';
import { readLogs } from './replyLog.ts';

export const toMessageRow = ({ id, ...message }: Message): MessageRow => ({
  _id: id,
  ...message,
  settledAs: null,
  settledPreview: null,
  isAsked: false,
  unlisted: true,
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
  feedback: row.feedback,
  lease: row.lease,
  createdAt: row.createdAt,
  updatedAt: row.updatedAt,
  rev: row.rev,
});

/**
 * The rows as entities, in their order. Replies among them that are not final get the text of their logs; then they are
 * looked at again, since one that was settled between the two reads has dropped its log and keeps its text itself.
 */
export const toMessages = async (collections: Collections, rows: readonly MessageRow[]): Promise<Message[]> => {
  const unfinished = rows.filter(isUnfinished).map(({ _id, ownerId }) => ({ messageId: _id, ownerId }));
  if (unfinished.length === 0) return rows.map((row) => toMessage(row));
  const texts = await readLogs(collections, unfinished);
  const ids = trusted({ $in: unfinished.map(({ messageId }) => messageId) });
  const settled = await collections.messages.find({ _id: ids, status: trusted({ $nin: UNFINISHED }) }).lean();
  const settledById = new Map(settled.map((row) => [row._id, row]));
  return rows.map((row) => {
    if (!isUnfinished(row)) return toMessage(row);
    const end = settledById.get(row._id);
    return end ? toMessage(end) : toMessage(row, texts.get(row._id) ?? '');
  });
};
