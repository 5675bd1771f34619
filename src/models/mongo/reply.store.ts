import { trusted, type QueryFilter } from 'mongoose';
import type { Lease, Turn } from '../entities.ts';
import type { MessageStore, ReplyEnd } from '../stores.ts';
import type { ChatRow } from './chat.model.ts';
import { liveChat, toChat } from './chat.rows.ts';
import { insertMissing, RELAXED, type Collections } from './collections.ts';
import { RUNNING, UNFINISHED, type MessageRow } from './message.model.ts';
import { toMessage, toMessages } from './message.rows.ts';
import { dropLog, toLogRow } from './replyLog.ts';

type ReplyMethods =
  'claimReply' | 'startReply' | 'reopenReply' | 'appendLog' | 'settleReply' | 'renewLeases' | 'listLapsedReplies';

/** What the first and deciding write of a settlement stores; `finishSettling` does the rest. */
const endOf = (end: ReplyEnd): Partial<MessageRow> => ({
  status: 'settling',
  settledAs: end.status,
  settledPreview: end.preview,
  content: end.content,
  model: end.model,
  finishReason: end.finishReason,
  usage: end.usage,
  latencyMs: end.latencyMs,
  segments: end.segments,
  error: end.error,
  lease: null,
  updatedAt: end.at,
});

/** Whoever has it, when no node is named. */
const heldBy = (nodeId: string | undefined) => (nodeId === undefined ? {} : { 'lease.nodeId': nodeId });

/** `updatedAt` only rises: when repair settles late, the chat may have changed since. */
const settleChat = async ({ chats }: Collections, reply: MessageRow): Promise<ChatRow | null> => {
  const chat = liveChat(reply.ownerId, reply.chatId);
  const change = { $inc: { rev: 1 }, $max: { updatedAt: reply.updatedAt } };
  if (reply.settledPreview !== null) {
    const withPreview = { ...change, $set: { lastMessagePreview: reply.settledPreview } };
    const row = await chats
      .findOneAndUpdate({ ...chat, activeLeafId: reply._id }, withPreview, { returnDocument: 'after' })
      .lean();
    if (row) return row;
  }
  return chats.findOneAndUpdate(chat, change, { returnDocument: 'after' }).lean();
};

/**
 * Does what follows from a settled reply: its chat's `rev` and preview, then its log, then the mark that it is all done.
 * After a crash repair does it again; the chat's `rev` may then rise once more, which tells clients nothing wrong.
 */
export const finishSettling = async (
  collections: Collections,
  row: MessageRow,
): Promise<Pick<Turn, 'chat' | 'reply'> | null> => {
  const chat = await settleChat(collections, row);
  await dropLog(collections, row);
  await collections.messages.updateOne(
    { _id: row._id, ownerId: row.ownerId, status: 'settling' },
    { $set: { status: row.settledAs, settledAs: null, settledPreview: null } },
    RELAXED,
  );
  return chat && { chat: toChat(chat), reply: toMessage(row) };
};

/** Not one that is `settling`: whoever is at that would drop the log of the reply that is generated then. */
const abandonedAt = (at: Date): QueryFilter<MessageRow>[] => [
  { status: 'interrupted' },
  { status: 'pending', 'lease.until': trusted({ $lt: at }) },
];

const REOPENED: Partial<MessageRow> = {
  status: 'queued',
  error: null,
  latencyMs: null,
  lease: null,
};

export const createReplyStore = (collections: Collections): Pick<MessageStore, ReplyMethods> => {
  const { messages, replyLog } = collections;

  return {
    claimReply: async (ownerId: string, messageId: string, lease: Lease, at: Date) => {
      const result = await messages.updateOne(
        { _id: messageId, ownerId, status: 'queued' },
        { $set: { status: 'pending', lease, updatedAt: at }, $inc: { rev: 1 } },
      );
      return result.modifiedCount === 1;
    },

    startReply: async (ownerId, messageId, model, { nodeId, at }) => {
      const result = await messages.updateOne(
        { _id: messageId, ownerId, status: 'pending', ...heldBy(nodeId) },
        { $set: { status: 'streaming', isAsked: true, model, updatedAt: at }, $inc: { rev: 1 } },
        RELAXED,
      );
      return result.modifiedCount === 1;
    },

    reopenReply: async (ownerId, messageId, at) => {
      const row = await messages
        .findOneAndUpdate(
          { _id: messageId, ownerId, isAsked: false, $or: abandonedAt(at) },
          { $set: { ...REOPENED, updatedAt: at }, $inc: { rev: 1 } },
          { returnDocument: 'after' },
        )
        .lean();
      return row && toMessage(row);
    },

    appendLog: async (entries) => {
      await insertMissing(replyLog, entries.map(toLogRow), RELAXED);
    },

    settleReply: async (ownerId, messageId, end) => {
      const holder = heldBy(end.nodeId);
      const row = await messages
        .findOneAndUpdate(
          { _id: messageId, ownerId, status: trusted({ $in: UNFINISHED }), ...holder },
          { $set: endOf(end), $inc: { rev: 1 } },
          { returnDocument: 'after' },
        )
        .lean();
      return row && finishSettling(collections, row);
    },

    renewLeases: async (nodeId, messageIds, until) => {
      const ids = trusted({ $in: messageIds });
      const held = { _id: ids, 'lease.nodeId': nodeId, status: trusted({ $in: RUNNING }) };
      await messages.updateMany(held, { $set: { 'lease.until': until } }, RELAXED);
      return (await messages.find(held).select('_id').lean()).map((row) => row._id);
    },

    listLapsedReplies: async (now, queuedBefore, limit) => {
      const lapsed = await messages
        .find({ status: trusted({ $in: RUNNING }), 'lease.until': trusted({ $lt: now }) })
        .sort({ 'lease.until': 1 })
        .limit(limit)
        .lean();
      const queued = await messages
        .find({ status: 'queued', createdAt: trusted({ $lt: queuedBefore }) })
        .sort({ createdAt: 1 })
        .limit(limit)
        .lean();
      return toMessages(collections, [...lapsed, ...queued].slice(0, limit));
    },
  };
};
