import { trusted } from 'mongoose';
import type { Clock } from '../../lib/clock.ts';
import type { ChatRow } from './chat.model.ts';
import { liveChat } from './chat.rows.ts';
import { insertMissing, RELAXED, type Collections } from './collections.ts';
import { createRemovalCommit } from './removalCommit.ts';
import { logsOf } from './replyLog.ts';
import { createTombstones } from './tombstones.ts';
import type { TurnContent, TurnRow } from './turn.model.ts';

/**
 * Writes what follows from a stored turn: its messages, then the chat, then the mark that it is done. Each step does
 * nothing when it was done before, so that after a crash, or before it, anyone may do it again: the append itself, one
 * that finds the slot taken, a read of the turn, and repair.
 */
export interface TurnCommit {
  /** Returns the chat as it is after the turn; null when the turn's messages were deleted since. */
  complete(turn: TurnRow): Promise<ChatRow | null>;
  /** Completes what has this place in the chat: whoever took it may have died before the chat moved on. */
  completeSlot(slot: Pick<TurnRow, 'ownerId' | 'chatId' | 'seq'>): Promise<void>;
}

export const createTurnCommit = (collections: Collections, clock: Clock): TurnCommit => {
  const { turns, messages, chats, replyLog } = collections;
  const completeRemoval = createRemovalCommit(collections, clock);
  const tombstones = createTombstones(collections, clock);

  /** The turn was built before the chat was cleared and comes after: it is cleared with the rest, its slot used up. */
  const skipCleared = async (turn: TurnRow, content: TurnContent, lastSeq: number): Promise<void> => {
    const now = new Date(clock.now());
    await chats.updateOne(
      {
        ...liveChat(turn.ownerId, turn.chatId),
        lastSeq: turn.seq - 1,
        clearedSeq: trusted({ $ne: content.clearedSeq }),
      },
      { $set: { lastSeq, clearedSeq: lastSeq, removedAt: now, sweepAt: now }, $inc: { rev: 1 } },
    );
  };

  const removeMessages = async (turn: TurnRow, content: TurnContent): Promise<void> => {
    const { ownerId } = turn;
    const ids = content.messages.map(({ _id }) => _id);
    await tombstones.buryMessages(ownerId, ids, turn._id);
    await messages.deleteMany({ _id: trusted({ $in: ids }), ownerId });
    await replyLog.deleteMany(logsOf([{ ownerId, messageId: turn.replyId }]));
  };

  /** Moves a chat that is there over the turn: exactly once, since `lastSeq` has moved on the second time. */
  const advanceChat = async (turn: TurnRow, content: TurnContent): Promise<ChatRow | null> => {
    const lastSeq = turn.seq + content.messages.length - 1;
    const advanced = await chats
      .findOneAndUpdate(
        { ...liveChat(turn.ownerId, turn.chatId), lastSeq: turn.seq - 1, clearedSeq: content.clearedSeq },
        {
          $set: { lastSeq, activeLeafId: turn.replyId, lastMessagePreview: content.preview, updatedAt: turn.createdAt },
          $inc: { messageCount: content.messages.length, rev: 1 },
        },
        { returnDocument: 'after' },
      )
      .lean();
    if (advanced) return advanced;
    await skipCleared(turn, content, lastSeq);
    const present = await chats.findOne(liveChat(turn.ownerId, turn.chatId)).lean();
    if (present && present.clearedSeq < turn.seq) return present;
    await removeMessages(turn, content);
    return null;
  };

  const completeTurn = async (turn: TurnRow, content: TurnContent): Promise<ChatRow | null> => {
    await insertMissing(messages, content.messages);
    const isMade = content.newChat !== null && (await insertMissing(chats, [content.newChat])) === 1;
    return isMade ? content.newChat : advanceChat(turn, content);
  };

  const complete: TurnCommit['complete'] = async (turn) => {
    const { content } = turn;
    if (!content) return null;
    const chat = await ('removedIds' in content ? completeRemoval(turn, content) : completeTurn(turn, content));
    const done = { $set: { state: 'done', content: null } };
    await turns.updateOne({ _id: turn._id, ownerId: turn.ownerId, state: 'open' }, done, RELAXED);
    return chat;
  };

  return {
    complete,
    completeSlot: async ({ ownerId, chatId, seq }) => {
      const row = await turns.findOne({ ownerId, chatId, seq }).lean();
      if (row?.state === 'open') await complete(row);
    },
  };
};
