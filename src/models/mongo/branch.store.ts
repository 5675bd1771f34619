import { trusted } from 'mongoose';
import { newId } from '../../lib/ids.ts';
import { branchPreview } from '../branchPreview.ts';
import { StoreUnavailableError } from '../errors.ts';
import type { MessageStore, RemovedMessages } from '../stores.ts';
import type { ChatRow } from './chat.model.ts';
import { liveChat, toChat } from './chat.rows.ts';
import { insertRow, type Collections } from './collections.ts';
import { isDuplicateKey } from './errors.ts';
import type { MessageRow } from './message.model.ts';
import { toMessage, toMessages } from './message.rows.ts';
import type { RemovalContent, TurnRow } from './turn.model.ts';
import type { TurnCommit } from './turnCommit.ts';
import { turnKey } from './turnDraft.ts';

/** How often a change of the tree makes way for a turn that came between. */
const MAX_TRIES = 100;

type BranchMethods = 'listChildIds' | 'showBranch' | 'deleteMessage' | 'setFeedback';
type Node = Pick<MessageRow, '_id' | 'parentId'>;

/** A message and all that hangs on it, in the order of the nodes; a child comes behind its parent there. */
const branchOf = (nodes: readonly Node[], rootId: string): string[] => {
  const branch = new Set<string>();
  for (const { _id, parentId } of nodes) {
    if (_id === rootId || (parentId !== null && branch.has(parentId))) branch.add(_id);
  }
  return [...branch];
};

/** What has to do with the tree that a chat's messages are. */
export const createBranchStore = (collections: Collections, commit: TurnCommit): Pick<MessageStore, BranchMethods> => {
  const { messages, chats, turns } = collections;

  /** The chat's tree, in order of `seq`. */
  const readTree = (chat: ChatRow): Promise<Node[]> =>
    messages
      .find({ ownerId: chat.ownerId, chatId: chat._id, seq: trusted({ $gt: chat.clearedSeq }) })
      .select('_id parentId')
      .sort({ seq: 1 })
      .lean();

  const leafOf = async (ownerId: string, id: string | undefined): Promise<RemovalContent['leaf']> => {
    const row = id === undefined ? null : await messages.findOne({ _id: id, ownerId }).lean();
    const [leaf] = await toMessages(collections, row ? [row] : []);
    if (!leaf) return { id: null, preview: null };
    const parent = leaf.parentId === null ? null : await messages.findOne({ _id: leaf.parentId, ownerId }).lean();
    return { id: leaf.id, preview: branchPreview(leaf, parent) };
  };

  /** Repeats until it has an answer; undefined: a turn came between. */
  const untilSettled = async <T>(attempt: () => Promise<T | undefined>): Promise<T> => {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const answer = await attempt();
      if (answer !== undefined) return answer;
    }
    throw new StoreUnavailableError('the chat is too busy');
  };

  const draftRemoval = async (message: MessageRow, chat: ChatRow, at: Date): Promise<TurnRow> => {
    const { ownerId, chatId, _id, parentId } = message;
    const nodes = await readTree(chat);
    const removedIds = branchOf(nodes, _id);
    const removed = new Set(removedIds);
    const kept = parentId === null ? nodes.map((node) => node._id) : branchOf(nodes, parentId);
    const leaf = await leafOf(
      ownerId,
      kept.findLast((id) => !removed.has(id)),
    );
    // Longer than any `clientMessageId`, so that it can be no turn's.
    const clientMessageId = `deleteMessage:${_id}:${newId()}`;
    return {
      _id: turnKey(ownerId, clientMessageId),
      ownerId,
      clientMessageId,
      fingerprint: '',
      chatId,
      seq: chat.lastSeq + 1,
      userMessageId: '',
      replyId: '',
      createdAt: at,
      state: 'open',
      content: { removedIds, leaf, clearedSeq: chat.clearedSeq },
    };
  };

  const removeOnce = async (
    ownerId: string,
    messageId: string,
    at: Date,
  ): Promise<RemovedMessages | null | undefined> => {
    const message = await messages.findOne({ _id: messageId, ownerId }).lean();
    const chat = message && (await chats.findOne(liveChat(ownerId, message.chatId)).lean());
    if (!message || !chat || message.seq <= chat.clearedSeq) return null;
    const row = await draftRemoval(message, chat, at);
    try {
      await insertRow(turns, row);
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      await commit.completeSlot(row);
      return undefined;
    }
    const after = await commit.complete(row);
    return after && row.content && 'removedIds' in row.content
      ? { chat: toChat(after), ids: row.content.removedIds }
      : null;
  };

  return {
    listChildIds: async (ownerId, chatId, parentIds) => {
      const rows = await messages
        .find({ ownerId, chatId, parentId: trusted({ $in: parentIds }) })
        .select('_id parentId')
        .sort({ seq: 1 })
        .lean();
      return rows.map(({ _id, parentId }) => ({ id: _id, parentId }));
    },

    showBranch: (ownerId, chatId, messageId, at) =>
      untilSettled(async () => {
        const chat = await chats.findOne(liveChat(ownerId, chatId)).lean();
        const branch = chat && branchOf(await readTree(chat), messageId);
        if (!chat || !branch || branch.length === 0) return null;
        const leaf = await leafOf(ownerId, branch.at(-1));
        const row = await chats
          .findOneAndUpdate(
            { ...liveChat(ownerId, chatId), lastSeq: chat.lastSeq, clearedSeq: chat.clearedSeq },
            { $set: { activeLeafId: leaf.id, lastMessagePreview: leaf.preview, updatedAt: at }, $inc: { rev: 1 } },
            { returnDocument: 'after' },
          )
          .lean();
        return row ? toChat(row) : undefined;
      }),

    deleteMessage: (ownerId, messageId, at) => untilSettled(() => removeOnce(ownerId, messageId, at)),

    setFeedback: async (ownerId, messageId, feedback, at) => {
      const row = await messages
        .findOneAndUpdate(
          { _id: messageId, ownerId, role: 'assistant' },
          { $set: { feedback, updatedAt: at }, $inc: { rev: 1 } },
          { returnDocument: 'after' },
        )
        .lean();
      if (!row) return null;
      const [message = toMessage(row)] = await toMessages(collections, [row]);
      return message;
    },
  };
};
