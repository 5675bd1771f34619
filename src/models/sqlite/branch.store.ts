import { branchPreview } from '../branchPreview.ts';
import type { Chat, Message } from '../entities.ts';
import type { MessageStore } from '../stores.ts';
import { nextChange } from './changes.ts';
import { findChat, toChat, type ChatRow } from './chat.store.ts';
import type { Database } from './database.ts';
import { findMessage, getMessage } from './message.rows.ts';
import type { Sync } from './sync.ts';
import { toJson } from './table.ts';

/** `IS`, so that null finds the roots. */
export const LIST_CHILD_IDS = `
SELECT messages.id, messages.parent_id FROM json_each(?) CROSS JOIN messages ON messages.parent_id IS json_each.value
WHERE messages.chat_id = ? AND messages.owner_id = ? ORDER BY seq`;

/** A message and all that hangs on it, from parent to child. */
const BRANCH = `
WITH RECURSIVE branch (id, seq) AS (
  SELECT id, seq FROM messages WHERE id = ? AND chat_id = ? AND owner_id = ?
  UNION ALL
  SELECT child.id, child.seq
  FROM branch CROSS JOIN messages AS child ON child.parent_id = branch.id AND child.chat_id = ?
)`;
const BRANCH_IDS = `${BRANCH} SELECT id FROM branch ORDER BY seq`;
/** A child has a higher `seq` than its parent, so that the newest message of a branch is a leaf. */
const NEWEST_OF_BRANCH = `
${BRANCH} SELECT messages.* FROM messages WHERE id = (SELECT id FROM branch ORDER BY seq DESC LIMIT 1)`;
const NEWEST_OF_CHAT = 'SELECT * FROM messages WHERE chat_id = ? AND owner_id = ? ORDER BY seq DESC LIMIT 1';

const DELETE_MESSAGES = 'DELETE FROM messages WHERE id IN (SELECT value FROM json_each(?))';

const COUNT_DOWN = `
UPDATE chats SET message_count = message_count - ?, updated_at = ?, rev = rev + 1, change = ? WHERE id = ? RETURNING *`;

const SHOW_LEAF = `
UPDATE chats SET active_leaf_id = ?, last_message_preview = ?, message_count = message_count - ?, updated_at = ?, rev = rev + 1,
  change = ?
WHERE id = ? RETURNING *`;

const SET_FEEDBACK = `
UPDATE messages SET feedback = ?, updated_at = ?, rev = rev + 1, change = ?
WHERE id = ? AND owner_id = ? AND role = 'assistant' RETURNING *`;

interface Leaf {
  readonly leaf: Message | null;
  readonly removed: number;
  readonly at: Date;
}

const showLeaf = (db: Database, chat: Chat, { leaf, removed, at }: Leaf): Chat => {
  const parent = leaf?.parentId ? findMessage(db, chat.ownerId, leaf.parentId) : null;
  const preview = leaf && branchPreview(leaf, parent);
  const values = [leaf?.id ?? null, preview, removed, at.getTime(), nextChange(db)];
  return toChat(db.get(SHOW_LEAF, ...values, chat.id) as ChatRow);
};

/** The newest leaf at or below a message; with null, of the whole chat. */
const newestLeaf = (db: Database, { id: chatId, ownerId }: Chat, messageId: string | null): Message | null =>
  messageId === null
    ? getMessage(db, NEWEST_OF_CHAT, chatId, ownerId)
    : getMessage(db, NEWEST_OF_BRANCH, messageId, chatId, ownerId, chatId);

type BranchMethods = 'listChildIds' | 'showBranch' | 'deleteMessage' | 'setFeedback';

/** What has to do with the tree that a chat's messages are. */
export const createBranchStore = (db: Database): Pick<Sync<MessageStore>, BranchMethods> => ({
  listChildIds: (ownerId, chatId, parentIds) =>
    (
      db.all(LIST_CHILD_IDS, JSON.stringify(parentIds), chatId, ownerId) as { id: string; parent_id: string | null }[]
    ).map(({ id, parent_id: parentId }) => ({ id, parentId })),
  showBranch: (ownerId, chatId, messageId, at) => {
    const chat = findChat(db, ownerId, chatId);
    const leaf = chat && newestLeaf(db, chat, messageId);
    return chat && leaf && showLeaf(db, chat, { leaf, removed: 0, at });
  },
  deleteMessage: (ownerId, messageId, at) => {
    const message = findMessage(db, ownerId, messageId);
    const chat = message && findChat(db, ownerId, message.chatId);
    if (!message || !chat) return null;
    const ids = (db.all(BRANCH_IDS, messageId, chat.id, ownerId, chat.id) as { id: string }[]).map(({ id }) => id);
    db.run(DELETE_MESSAGES, JSON.stringify(ids));
    if (chat.activeLeafId === null || !ids.includes(chat.activeLeafId)) {
      const row = db.get(COUNT_DOWN, ids.length, at.getTime(), nextChange(db), chat.id) as ChatRow;
      return { ids, chat: toChat(row) };
    }
    const leaf = newestLeaf(db, chat, message.parentId);
    return { ids, chat: showLeaf(db, chat, { leaf, removed: ids.length, at }) };
  },
  setFeedback: (ownerId, messageId, feedback, at) =>
    getMessage(db, SET_FEEDBACK, toJson(feedback), at.getTime(), nextChange(db), messageId, ownerId),
});
