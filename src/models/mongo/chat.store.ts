import { trusted, type QueryFilter } from 'mongoose';
import type { Clock } from '../../lib/clock.ts';
import type { ChatPage, ChatStore } from '../stores.ts';
import type { ChatRow } from './chat.model.ts';
import { liveChat, toChat, toChatRow } from './chat.rows.ts';
import { insertRow, type Collections } from './collections.ts';
import type { Intents } from './intents.ts';
import { literally } from './page.ts';
import type { Removals } from './removals.ts';

const filterOf = (ownerId: string, { sort, titleQuery, after }: ChatPage): QueryFilter<ChatRow> => {
  const field = sort.endsWith('createdAt') ? 'createdAt' : 'updatedAt';
  const beyond = <T>(value: T) => trusted(sort.startsWith('-') ? { $lt: value } : { $gt: value });
  return {
    ownerId,
    deleted: false,
    ...(titleQuery ? { titleKey: trusted({ $regex: literally(titleQuery.toLowerCase()) }) } : {}),
    ...(after ? { $or: [{ [field]: beyond(after.at) }, { [field]: after.at, _id: beyond(after.id) }] } : {}),
  };
};

export const createChatStore = (
  collections: Collections,
  { removals, intents, clock }: { removals: Removals; intents: Intents; clock: Clock },
): ChatStore => {
  const { chats, messages } = collections;
  const find = (ownerId: string, chatId: string) => chats.findOne(liveChat(ownerId, chatId)).lean();

  return {
    createChat: async (chat) => {
      await insertRow(chats, toChatRow(chat));
    },

    findChat: async (ownerId, chatId) => {
      const row = await find(ownerId, chatId);
      return row && toChat(row);
    },

    listChats: async (ownerId, page) => {
      const direction = page.sort.startsWith('-') ? -1 : 1;
      const field = page.sort.endsWith('createdAt') ? 'createdAt' : 'updatedAt';
      const rows = await chats
        .find(filterOf(ownerId, page))
        .sort({ [field]: direction, _id: direction })
        .limit(page.limit)
        .lean();
      return rows.map(toChat);
    },

    updateChat: async (ownerId, chatId, changes, at) => {
      const key = changes.title === undefined ? {} : { titleKey: changes.title.toLowerCase() };
      const update = { $set: { ...changes, ...key, updatedAt: at }, $inc: { rev: 1 } };
      const row = await chats.findOneAndUpdate(liveChat(ownerId, chatId), update, { returnDocument: 'after' }).lean();
      return row && toChat(row);
    },

    clearChat: async (ownerId, chatId, at) => {
      for (;;) {
        const before = await find(ownerId, chatId);
        if (!before) return null;
        const now = new Date(clock.now());
        // Compare-and-set on `lastSeq`: a turn that comes between is either cleared too or comes after.
        const row = await chats
          .findOneAndUpdate(
            { ...liveChat(ownerId, chatId), lastSeq: before.lastSeq },
            {
              $set: {
                messageCount: 0,
                activeLeafId: null,
                lastMessagePreview: null,
                updatedAt: at,
                clearedSeq: before.lastSeq,
                removedAt: now,
                sweepAt: now,
              },
              $inc: { rev: 1 },
            },
            { returnDocument: 'after' },
          )
          .lean();
        if (!row) continue;
        await removals.finishChat(row);
        return toChat(row);
      }
    },

    deleteChat: (ownerId, chatId) => removals.deleteChat(ownerId, chatId),

    deleteChats: async (ownerId) => {
      const live = await chats.find({ ownerId, deleted: false }).select('_id').lean();
      if (live.length === 0) return [];
      const targetIds = live.map((row) => row._id);
      const at = new Date(clock.now());
      const intent = await intents.perform({ kind: 'deleteChats', ownerId, targetIds, at }, removals.deletingChats);
      const deleted = await chats.find({ ownerId, deleted: true, removedBy: intent._id }).select('_id').lean();
      return deleted.map((row) => row._id);
    },

    countChats: async () => ({
      chats: await chats.countDocuments({ deleted: false }),
      messages: await messages.estimatedDocumentCount(),
    }),

    listIdleChats: async (before, limit) => {
      const rows = await chats
        .find({ deleted: false, updatedAt: trusted({ $lt: before }) })
        .sort({ updatedAt: 1 })
        .limit(limit)
        .select('_id ownerId')
        .lean();
      return rows.map((row) => ({ id: row._id, ownerId: row.ownerId }));
    },
  };
};
