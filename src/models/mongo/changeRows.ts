import { trusted } from 'mongoose';
import type { Chat, Message } from '../entities.ts';
import type { ChangePage, Deletion } from '../stores.ts';
import type { ChatRow } from './chat.model.ts';
import { toChat } from './chat.rows.ts';
import type { Collections } from './collections.ts';
import type { MessageRow } from './message.model.ts';
import { toMessages } from './message.rows.ts';
import type { SyncPosition } from './syncPosition.ts';

/** A part of a page, and where a reader is behind it. */
export interface ChangePart {
  readonly chats: readonly Chat[];
  readonly messages: readonly Message[];
  readonly deleted: readonly Deletion[];
  readonly position: SyncPosition;
  readonly more: boolean;
  /** What of the page it has used up. */
  readonly used: Pick<ChangePage, 'limit' | 'maxBytes'>;
}

const chatsById = async ({ chats }: Collections, ownerId: string, ids: readonly string[]) => {
  const filter = { _id: trusted({ $in: [...new Set(ids)] }), ownerId };
  const rows = ids.length === 0 ? [] : await chats.find(filter).readConcern('majority').lean();
  return new Map(rows.map((row) => [row._id, row]));
};

/** A message whose chat is not there yet is that of a turn which is just being stored. */
const isShown = (message: Message, chat: ChatRow | undefined): boolean =>
  !chat || (!chat.deleted && message.seq > chat.clearedSeq);

/**
 * Messages as devices may have them, with the chats that were asked for. The chats are read last: a chat that is deleted or
 * cleared hides what is still there of its messages, since its deletion may have been told before.
 */
export const readEntities = async (
  collections: Collections,
  ownerId: string,
  rows: { readonly messages: readonly MessageRow[]; readonly chatIds: readonly string[] },
): Promise<{ chats: ReadonlyMap<string, Chat>; messages: ReadonlyMap<string, Message> }> => {
  const messages = await toMessages(collections, rows.messages);
  const chats = await chatsById(collections, ownerId, [...rows.chatIds, ...messages.map(({ chatId }) => chatId)]);
  const wanted = rows.chatIds.map((id) => chats.get(id)).filter((chat) => chat !== undefined && !chat.deleted);
  return {
    chats: new Map(wanted.flatMap((chat) => (chat ? [[chat._id, toChat(chat)]] : []))),
    messages: new Map(
      messages.filter((message) => isShown(message, chats.get(message.chatId))).map((message) => [message.id, message]),
    ),
  };
};

/** How many of these fit on the page: one at least. */
export const fitting = (
  bytes: readonly number[],
  { limit, maxBytes }: Pick<ChangePage, 'limit' | 'maxBytes'>,
): number => {
  let sum = 0;
  const tooMuch = bytes.findIndex((size, index) => (sum += size) > maxBytes && index > 0);
  return Math.min(limit, tooMuch < 0 ? bytes.length : tooMuch);
};

export const sumOf = (bytes: readonly number[]): number => bytes.reduce((sum, size) => sum + size, 0);
