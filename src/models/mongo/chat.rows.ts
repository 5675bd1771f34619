import type { Chat } from '../entities.ts';
import type { ChatRow } from './chat.model.ts';

export const toChatRow = ({ id, ...chat }: Chat): ChatRow => ({
  _id: id,
  ...chat,
  titleKey: chat.title.toLowerCase(),
  clearedSeq: 0,
  deleted: false,
  removedBy: null,
  removedAt: null,
  sweepAt: null,
  unlisted: true,
});

export const toChat = (row: ChatRow): Chat => ({
  id: row._id,
  ownerId: row.ownerId,
  createdBy: row.createdBy,
  title: row.title,
  model: row.model,
  systemPrompt: row.systemPrompt,
  activeLeafId: row.activeLeafId,
  messageCount: row.messageCount,
  lastMessagePreview: row.lastMessagePreview,
  lastSeq: row.lastSeq,
  createdAt: row.createdAt,
  updatedAt: row.updatedAt,
  rev: row.rev,
});

/** A chat that is there, by its full key. */
export const liveChat = (ownerId: string, chatId: string) => ({ _id: chatId, ownerId, deleted: false });
