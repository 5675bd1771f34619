import { trusted } from 'mongoose';
import { ChatFullError, MissingReferenceError, QuotaError, StoreUnavailableError } from '../errors.ts';
import type { MessageStore, NewTurn, StoredTurn } from '../stores.ts';
import { liveChat, toChat } from './chat.rows.ts';
import { insertRow, type Collections } from './collections.ts';
import { isDuplicateKey } from './errors.ts';
import { createKeyedLock } from './keyedLock.ts';
import { toMessages } from './message.rows.ts';
import type { Quotas } from './quotas.ts';
import type { TurnRow } from './turn.model.ts';
import type { TurnCommit } from './turnCommit.ts';
import { createDrafter, turnKey } from './turnDraft.ts';

/** How often an append makes way for another node's turn in the same chat; each time that one got further. */
const MAX_TRIES = 100;

/**
 * A turn is stored when its row in `turns` is: one insert, which two unique indexes decide. One says that its
 * `clientMessageId` is new, the other that its place in the chat is free. What follows from the row is `turnCommit`'s.
 */
export const createTurnStore = (
  collections: Collections,
  commit: TurnCommit,
  quotas: Quotas,
): Pick<MessageStore, 'appendTurn' | 'findTurn'> => {
  const { turns, chats, messages } = collections;
  const draftTurn = createDrafter(collections);
  /** Appends of this process to one chat wait for each other here rather than in vain for its next place. */
  const inChat = createKeyedLock();

  const load = async (row: TurnRow): Promise<StoredTurn> => {
    if (row.state === 'open') await commit.complete(row);
    const { ownerId, chatId, fingerprint } = row;
    const chat = await chats.findOne(liveChat(ownerId, chatId)).lean();
    const ids = trusted({ $in: [row.userMessageId, row.replyId] });
    const rows = chat ? await messages.find({ _id: ids, ownerId, seq: trusted({ $gt: chat.clearedSeq }) }).lean() : [];
    const found = await toMessages(collections, rows);
    const userMessage = found.find(({ id }) => id === row.userMessageId);
    const reply = found.find(({ id }) => id === row.replyId);
    const turn = chat && userMessage && reply ? { chat: toChat(chat), userMessage, reply } : null;
    return { created: false, fingerprint, turn };
  };

  const findTurn: MessageStore['findTurn'] = async (ownerId, clientMessageId) => {
    const row = await turns.findOne({ _id: turnKey(ownerId, clientMessageId), ownerId }).lean();
    return row && load(row);
  };

  /** Null: something else was there first, and now it is known what to build on. */
  const tryAppend = async (turn: NewTurn, isFirstTry: boolean): Promise<StoredTurn | null> => {
    const { row, userMessage, reply } = await draftTurn(turn, isFirstTry);
    try {
      await insertRow(turns, row);
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      const known = await findTurn(turn.ownerId, turn.clientMessageId);
      if (!known) await commit.completeSlot(row);
      return known;
    }
    const chat = await commit.complete(row);
    return { created: true, fingerprint: turn.fingerprint, turn: chat && { chat: toChat(chat), userMessage, reply } };
  };

  const append = async (turn: NewTurn): Promise<StoredTurn> => {
    try {
      for (let tries = 0; tries < MAX_TRIES; tries += 1) {
        const stored = await tryAppend(turn, tries === 0);
        if (stored) return stored;
      }
    } catch (error) {
      // A repetition is recognised even when its chat is gone or full by now.
      const isRefused = error instanceof MissingReferenceError || error instanceof ChatFullError;
      const known = isRefused ? await findTurn(turn.ownerId, turn.clientMessageId) : null;
      if (known) return known;
      throw error;
    }
    throw new StoreUnavailableError('the chat is too busy');
  };

  /** Reserves first, and gives it back when no reply came of it. */
  const appendReserved = async (turn: NewTurn): Promise<StoredTurn> => {
    const { ownerId, chatId, reservation, at } = turn;
    if (!reservation) return append(turn);
    const { id } = turn.reply;
    try {
      await quotas.reserve({ ownerId, id, chatId, reservation, at });
    } catch (error) {
      const known = error instanceof QuotaError ? await findTurn(ownerId, turn.clientMessageId) : null;
      if (known) return known;
      throw error;
    }
    let isStored = false;
    try {
      const stored = await append(turn);
      isStored = stored.created;
      return stored;
    } finally {
      // What cannot be given back now comes free when this node is gone.
      if (!isStored) await quotas.end(ownerId, { ended: [], released: [id] }).catch(() => undefined);
    }
  };

  return { appendTurn: (turn) => inChat(turn.chatId, () => appendReserved(turn)), findTurn };
};
