import { trusted } from 'mongoose';
import type { Clock } from '../../lib/clock.ts';
import type { ChatRow } from './chat.model.ts';
import { liveChat } from './chat.rows.ts';
import type { Collections } from './collections.ts';
import { logsOf } from './replyLog.ts';
import { createTombstones } from './tombstones.ts';
import type { RemovalContent, TurnRow } from './turn.model.ts';

/**
 * Writes what follows from a stored deletion: the chat lets go of the leaf, the messages go, then the chat moves on.
 * In this order, because until the chat moves on no turn can come after, and every step does nothing the second time.
 */
export const createRemovalCommit = (collections: Collections, clock: Clock) => {
  const { messages, chats, replyLog } = collections;
  const tombstones = createTombstones(collections, clock);

  /** The chat before the deletion, and only then. */
  const before = ({ ownerId, chatId, seq }: TurnRow, { clearedSeq }: RemovalContent) => ({
    ...liveChat(ownerId, chatId),
    lastSeq: seq - 1,
    clearedSeq,
  });

  const moveLeaf = async (removal: TurnRow, content: RemovalContent): Promise<void> => {
    const { id, preview } = content.leaf;
    await chats.updateOne(
      { ...before(removal, content), activeLeafId: trusted({ $in: content.removedIds }) },
      { $set: { activeLeafId: id, lastMessagePreview: preview }, $inc: { rev: 1 } },
    );
  };

  /** Null when the chat moved on before, was cleared or is gone; or shows one of the messages again. */
  const moveOn = (removal: TurnRow, content: RemovalContent): Promise<ChatRow | null> =>
    chats
      .findOneAndUpdate(
        { ...before(removal, content), activeLeafId: trusted({ $nin: content.removedIds }) },
        {
          $set: { lastSeq: removal.seq, updatedAt: removal.createdAt },
          $inc: { messageCount: -content.removedIds.length, rev: 1 },
        },
        { returnDocument: 'after' },
      )
      .lean();

  /** The chat was cleared between: nothing is left to count, only the place to be used up. */
  const skipCleared = async ({ ownerId, chatId, seq }: TurnRow, { clearedSeq }: RemovalContent): Promise<void> => {
    await chats.updateOne(
      { ...liveChat(ownerId, chatId), lastSeq: seq - 1, clearedSeq: trusted({ $ne: clearedSeq }) },
      { $set: { lastSeq: seq }, $inc: { rev: 1 } },
    );
  };

  return async (removal: TurnRow, content: RemovalContent): Promise<ChatRow | null> => {
    const { ownerId, chatId, seq } = removal;
    await moveLeaf(removal, content);
    await replyLog.deleteMany(logsOf(content.removedIds.map((messageId) => ({ ownerId, messageId }))));
    await messages.deleteMany({ _id: trusted({ $in: content.removedIds }), ownerId });
    await tombstones.buryMessages(ownerId, content.removedIds, removal._id);
    for (;;) {
      const moved = await moveOn(removal, content);
      if (moved) return moved;
      await skipCleared(removal, content);
      const chat = await chats.findOne(liveChat(ownerId, chatId)).lean();
      if (!chat || chat.lastSeq >= seq) return chat;
      await moveLeaf(removal, content);
    }
  };
};
