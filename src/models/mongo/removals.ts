import { trusted } from 'mongoose';
import type { Clock } from '../../lib/clock.ts';
import { newId } from '../../lib/ids.ts';
import type { ChatRow } from './chat.model.ts';
import { liveChat } from './chat.rows.ts';
import { forgetWhere } from './audit.store.ts';
import { RELAXED, type Collections } from './collections.ts';
import type { CarryOut } from './intents.ts';
import { logsOf, logsOfOwner } from './replyLog.ts';
import { createTombstones } from './tombstones.ts';
import { countersOfOwner } from './usageDays.ts';
import type { UserRow } from './user.model.ts';

/**
 * Milliseconds after a removal until it is swept a second and last time, and its mark is taken away. Whoever was just
 * storing something there, in this process or another, has long finished or died by then.
 */
const LAST_SWEEP_MS = 3_600_000;
const BATCH = 500;

/**
 * Deleting, in an order that a crash cannot spoil. What decides is one write on one row, which marks the chat or the
 * account as deleted (or, for a clear, up to which `seq`), and says when to sweep. Then the rows that hung on it go. The
 * marked row stays for an hour: an append that was on its way finds it and gives up, instead of making the chat anew,
 * and what it may have left is found by the second sweep.
 */
export interface Removals {
  /** Marks and sweeps a chat; false when there was none. */
  deleteChat(ownerId: string, chatId: string): Promise<boolean>;
  readonly deletingChats: CarryOut;
  /** Removes the messages of a chat that is marked. */
  finishChat(chat: ChatRow): Promise<void>;
  /** Removes what a marked account owned. */
  finishUser(user: UserRow): Promise<void>;
}

/** What is left of a deleted chat: nothing of what was said. */
const deletedChat = (now: Date, intentId: string | null): Partial<ChatRow> => ({
  title: '',
  titleKey: '',
  model: null,
  systemPrompt: null,
  activeLeafId: null,
  lastMessagePreview: null,
  deleted: true,
  removedBy: intentId,
  removedAt: now,
  sweepAt: now,
});

export const createRemovals = (collections: Collections, clock: Clock): Removals => {
  const { users, logins, tickets, chats, messages, turns, replyLog, intents } = collections;
  const tombstones = createTombstones(collections, clock);

  /** Deletions of single messages whose content is about to be dropped may not have told devices of them yet. */
  const buryRemovals = async (scope: { readonly ownerId: string; readonly chatId: string }): Promise<void> => {
    for (const { _id, ownerId, content } of await turns.find({ ...scope, state: 'open' }).lean()) {
      if (content && 'removedIds' in content) await tombstones.buryMessages(ownerId, content.removedIds, _id);
    }
  };

  const removeMessages = async (chat: ChatRow): Promise<void> => {
    const scope = {
      ownerId: chat.ownerId,
      chatId: chat._id,
      ...(chat.deleted ? {} : { seq: trusted({ $lte: chat.clearedSeq }) }),
    };
    if (!chat.deleted) await buryRemovals(scope);
    // First, so that nobody completes such a turn any more; it stays known.
    await turns.updateMany({ ...scope, state: 'open' }, { $set: { state: 'done', content: null } });
    let ids: string[];
    do {
      ids = (await messages.find(scope).select('_id').limit(BATCH).lean()).map((row) => row._id);
      if (ids.length === 0) return;
      await replyLog.deleteMany(logsOf(ids.map((messageId) => ({ ownerId: chat.ownerId, messageId }))));
      // Before they go, because after a crash nobody would know their ids; the chat's own tombstone stands for all of them.
      if (!chat.deleted) await tombstones.buryMessages(chat.ownerId, ids, newId());
      await messages.deleteMany({ _id: trusted({ $in: ids }), ownerId: chat.ownerId });
    } while (ids.length === BATCH);
  };

  /** When the next sweep is due; null when this was the last one. */
  const nextSweep = (removedAt: Date | null): Date | null => {
    const last = (removedAt?.getTime() ?? 0) + LAST_SWEEP_MS;
    return clock.now() < last ? new Date(last) : null;
  };

  const finishChat = async (chat: ChatRow): Promise<void> => {
    if (chat.deleted) await tombstones.buryChat(chat.ownerId, chat._id);
    await removeMessages(chat);
    const sweepAt = nextSweep(chat.removedAt);
    // Only if nobody has cleared it again since.
    const unchanged = { _id: chat._id, ownerId: chat.ownerId, sweepAt: chat.sweepAt };
    if (chat.deleted && sweepAt === null) await chats.deleteOne(unchanged);
    else await chats.updateOne(unchanged, { $set: { sweepAt } }, RELAXED);
  };

  const finishUser = async (user: UserRow): Promise<void> => {
    const owned = { ownerId: user._id };
    await chats.deleteMany(owned);
    await turns.deleteMany(owned);
    await messages.deleteMany(owned);
    await replyLog.deleteMany(logsOfOwner(user._id));
    await logins.deleteMany(owned);
    await tickets.deleteMany(owned);
    await collections.apiKeys.deleteMany(owned);
    await collections.mailTokens.deleteMany(owned);
    await collections.identities.deleteMany(owned);
    await forgetWhere(collections, user._id);
    await intents.deleteMany(owned);
    await collections.tombstones.deleteMany(owned);
    await collections.changeSets.deleteMany(owned);
    await collections.usage.deleteMany(owned);
    await collections.usageDays.deleteMany(countersOfOwner(user._id));
    await collections.quotas.deleteOne({ _id: user._id });
    const sweepAt = nextSweep(user.removedAt);
    if (sweepAt === null) await users.deleteOne({ _id: user._id, deleted: true });
    else await users.updateOne({ _id: user._id, deleted: true }, { $set: { sweepAt } }, RELAXED);
  };

  return {
    deleteChat: async (ownerId, chatId) => {
      const update = { $set: deletedChat(new Date(clock.now()), null) };
      const chat = await chats.findOneAndUpdate(liveChat(ownerId, chatId), update, { returnDocument: 'after' }).lean();
      if (chat) await finishChat(chat);
      return chat !== null;
    },

    deletingChats: async (intent) => {
      const { _id, ownerId, targetIds, at } = intent;
      const live = { _id: trusted({ $in: targetIds }), ownerId, deleted: false };
      await chats.updateMany(live, { $set: deletedChat(at, _id) });
      const marked = await chats.find({ ownerId, deleted: true, removedBy: _id }).lean();
      for (const chat of marked) await finishChat(chat);
    },

    finishChat,
    finishUser,
  };
};
