import { trusted } from 'mongoose';
import type { Message } from '../entities.ts';
import type { MessageStore } from '../stores.ts';
import { createBranchStore } from './branch.store.ts';
import type { Collections } from './collections.ts';
import { UNFINISHED, type MessageRow } from './message.model.ts';
import { toMessages } from './message.rows.ts';
import { createReplyStore } from './reply.store.ts';
import type { TurnCommit } from './turnCommit.ts';
import type { Quotas } from './quotas.ts';
import { createTurnStore } from './turn.store.ts';

/** Messages read beyond those asked for, since a window over a chat also holds siblings that are not on the branch. */
const WINDOW_SLACK = 8;
/** Messages that one window has at most. */
const WINDOW_MAX = 2_000;

type Readers = Pick<MessageStore, 'findMessage' | 'listMessages' | 'listBranch' | 'listChildren' | 'listUnfinished'>;

const createReaders = (collections: Collections): Readers => {
  const { messages } = collections;

  /**
   * Walks from child to parent through windows of the chat, newest first: a parent has a lower `seq` than its child, so
   * it is in the child's window, or a fork far behind, which is looked up by its id and opens the next window.
   */
  const branchRows = async (from: MessageRow, limit: number): Promise<MessageRow[]> => {
    const { ownerId, chatId } = from;
    const branch: MessageRow[] = [];
    let next: MessageRow | null = from;
    while (next && branch.length < limit) {
      const window: MessageRow[] = await messages
        .find({ ownerId, chatId, seq: trusted({ $lte: next.seq }) })
        .sort({ seq: -1 })
        .limit(Math.min(limit - branch.length + WINDOW_SLACK, WINDOW_MAX))
        .lean();
      const byId = new Map(window.map((row) => [row._id, row]));
      let parentId: string | null = next._id;
      for (let row = byId.get(parentId); row && branch.length < limit; row = byId.get(parentId ?? '')) {
        branch.push(row);
        parentId = row.parentId;
      }
      next = parentId === null ? null : await messages.findOne({ _id: parentId, ownerId, chatId }).lean();
    }
    return branch;
  };

  return {
    findMessage: async (ownerId, messageId) => {
      const row = await messages.findOne({ _id: messageId, ownerId }).lean();
      const [message] = await toMessages(collections, row ? [row] : []);
      return message ?? null;
    },

    listMessages: async (ownerId, chatId, beforeSeq, limit) => {
      const below = beforeSeq === null ? {} : { seq: trusted({ $lt: beforeSeq }) };
      const rows = await messages
        .find({ ownerId, chatId, ...below })
        .sort({ seq: -1 })
        .limit(limit)
        .lean();
      return toMessages(collections, rows);
    },

    listBranch: async (ownerId, chatId, fromId, limit): Promise<Message[]> => {
      const from = await messages.findOne({ _id: fromId, ownerId, chatId }).lean();
      return from ? toMessages(collections, await branchRows(from, limit)) : [];
    },

    listChildren: async (ownerId, chatId, parentId) => {
      const rows = await messages.find({ ownerId, chatId, parentId }).sort({ seq: 1 }).lean();
      return toMessages(collections, rows);
    },

    listUnfinished: async (ownerId, chatId) => {
      const filter = { ownerId, chatId, status: trusted({ $in: UNFINISHED }) };
      return toMessages(collections, await messages.find(filter).sort({ seq: 1 }).lean());
    },
  };
};

export const createMessageStore = (collections: Collections, commit: TurnCommit, quotas: Quotas): MessageStore => ({
  ...createTurnStore(collections, commit, quotas),
  ...createReaders(collections),
  ...createBranchStore(collections, commit),
  ...createReplyStore(collections),
});
