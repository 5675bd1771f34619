import type { MessageStore } from '../stores.ts';
import { createBranchStore } from './branch.store.ts';
import type { Database } from './database.ts';
import { findMessage, getMessages, IS_UNFINISHED } from './message.rows.ts';
import type { Sync } from './sync.ts';
import { createReplyStore } from './reply.store.ts';
import { createTurnStore } from './turn.store.ts';

export const LIST_MESSAGES = `
SELECT * FROM messages WHERE chat_id = ? AND owner_id = ? AND seq < ? ORDER BY seq DESC LIMIT ?`;

/** Walks from child to parent by primary key, so its cost is the limit's and not the chat's length. */
export const LIST_BRANCH = `
WITH RECURSIVE branch (id, parent_id, depth) AS (
  SELECT id, parent_id, 1 FROM messages WHERE id = ? AND chat_id = ? AND owner_id = ?
  UNION ALL
  SELECT parent.id, parent.parent_id, depth + 1
  FROM branch JOIN messages AS parent ON parent.id = branch.parent_id WHERE depth < ?
)
SELECT messages.* FROM branch CROSS JOIN messages ON messages.id = branch.id ORDER BY depth LIMIT ?`;

export const LIST_CHILDREN = `
SELECT * FROM messages WHERE chat_id = ? AND owner_id = ? AND parent_id IS ? ORDER BY seq`;

export const LIST_UNFINISHED = `
SELECT * FROM messages WHERE chat_id = ? AND owner_id = ? AND ${IS_UNFINISHED} ORDER BY seq`;

export const createMessageStore = (db: Database): Sync<MessageStore> => ({
  ...createTurnStore(db),
  findMessage: (ownerId, messageId) => findMessage(db, ownerId, messageId),
  listMessages: (ownerId, chatId, beforeSeq, limit) =>
    getMessages(db, LIST_MESSAGES, chatId, ownerId, beforeSeq ?? Number.MAX_SAFE_INTEGER, limit),
  listBranch: (ownerId, chatId, fromId, limit) => getMessages(db, LIST_BRANCH, fromId, chatId, ownerId, limit, limit),
  listChildren: (ownerId, chatId, parentId) => getMessages(db, LIST_CHILDREN, chatId, ownerId, parentId),
  listUnfinished: (ownerId, chatId) => getMessages(db, LIST_UNFINISHED, chatId, ownerId),
  ...createBranchStore(db),
  ...createReplyStore(db),
});
