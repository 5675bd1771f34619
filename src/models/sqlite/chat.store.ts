import type { Chat } from '../entities.ts';
import type { ChatCounts, ChatSort, ChatStore } from '../stores.ts';
import { buryMessages, nextChange } from './changes.ts';
import type { Database } from './database.ts';
import type { Sync } from './sync.ts';
import { inserter, toDate } from './table.ts';

export interface ChatRow {
  readonly id: string;
  readonly owner_id: string;
  readonly created_by: string;
  readonly title: string;
  readonly model: string | null;
  readonly system_prompt: string | null;
  readonly active_leaf_id: string | null;
  readonly message_count: number;
  readonly last_message_preview: string | null;
  readonly last_seq: number;
  readonly created_at: number;
  readonly updated_at: number;
  readonly rev: number;
}

export const toChat = (row: ChatRow): Chat => ({
  id: row.id,
  ownerId: row.owner_id,
  createdBy: row.created_by,
  title: row.title,
  model: row.model,
  systemPrompt: row.system_prompt,
  activeLeafId: row.active_leaf_id,
  messageCount: row.message_count,
  lastMessagePreview: row.last_message_preview,
  lastSeq: row.last_seq,
  createdAt: toDate(row.created_at),
  updatedAt: toDate(row.updated_at),
  rev: row.rev,
});

const toChatOrNull = (row: ChatRow | undefined): Chat | null => (row ? toChat(row) : null);

export const insertChat = inserter<Chat>('chats', {
  id: (chat) => chat.id,
  owner_id: (chat) => chat.ownerId,
  created_by: (chat) => chat.createdBy,
  title: (chat) => chat.title,
  title_key: (chat) => chat.title.toLowerCase(),
  model: (chat) => chat.model,
  system_prompt: (chat) => chat.systemPrompt,
  active_leaf_id: (chat) => chat.activeLeafId,
  message_count: (chat) => chat.messageCount,
  last_message_preview: (chat) => chat.lastMessagePreview,
  last_seq: (chat) => chat.lastSeq,
  created_at: (chat) => chat.createdAt.getTime(),
  updated_at: (chat) => chat.updatedAt.getTime(),
  rev: (chat) => chat.rev,
  change: (_chat, db) => nextChange(db),
});

/** A chat by its full key; also within `appendTurn`. */
export const findChat = (db: Database, ownerId: string, chatId: string): Chat | null =>
  toChatOrNull(db.get('SELECT * FROM chats WHERE id = ? AND owner_id = ?', chatId, ownerId) as ChatRow | undefined);

const UPDATE_CHAT = `
UPDATE chats SET title = ?, title_key = ?, model = ?, system_prompt = ?, active_leaf_id = ?, updated_at = ?, rev = rev + 1,
  change = ?
WHERE id = ? AND owner_id = ? RETURNING *`;

const CLEAR_CHAT = `
UPDATE chats SET message_count = 0, active_leaf_id = NULL, last_message_preview = NULL, updated_at = ?, rev = rev + 1,
  change = ?, cleared_seq = last_seq
WHERE id = ? AND owner_id = ? RETURNING *`;

const CHAT_MESSAGE_IDS = 'SELECT id FROM messages WHERE chat_id = ? ORDER BY seq';

const COUNT_CHATS = 'SELECT count(*) AS chats, coalesce(sum(message_count), 0) AS messages FROM chats';

const IDLE_CHATS = 'SELECT id, owner_id FROM chats WHERE updated_at < ? ORDER BY updated_at LIMIT ?';

/** Times are far below this; a page without a cursor begins behind it. */
const BEYOND_ALL_TIMES = Number.MAX_SAFE_INTEGER;

/** instr() and not LIKE: in a title's search `%` and `_` are letters like any other. */
const listSql = (column: 'created_at' | 'updated_at', isDescending: boolean): string => {
  const direction = isDescending ? 'DESC' : 'ASC';
  return `
SELECT * FROM chats
WHERE owner_id = ? AND (${column}, id) ${isDescending ? '<' : '>'} (?, ?) AND (? = '' OR instr(title_key, ?) > 0)
ORDER BY ${column} ${direction}, id ${direction} LIMIT ?`;
};

/** One statement for each order; each walks its index from the cursor on. */
export const LIST_CHATS: Readonly<Record<ChatSort, string>> = {
  createdAt: listSql('created_at', false),
  updatedAt: listSql('updated_at', false),
  '-createdAt': listSql('created_at', true),
  '-updatedAt': listSql('updated_at', true),
};

export const createChatStore = (db: Database): Sync<ChatStore> => ({
  createChat: (chat) => {
    insertChat(db, chat);
  },
  findChat: (ownerId, chatId) => findChat(db, ownerId, chatId),
  listChats: (ownerId, { sort, titleQuery, after, limit }) => {
    const start = sort.startsWith('-') ? BEYOND_ALL_TIMES : -BEYOND_ALL_TIMES;
    const query = (titleQuery ?? '').toLowerCase();
    const from = after?.at.getTime() ?? start;
    return (db.all(LIST_CHATS[sort], ownerId, from, after?.id ?? '', query, query, limit) as ChatRow[]).map(toChat);
  },
  updateChat: (ownerId, chatId, changes, at) => {
    const before = findChat(db, ownerId, chatId);
    if (!before) return null;
    const { title, model, systemPrompt, activeLeafId } = { ...before, ...changes };
    const values = [title, title.toLowerCase(), model, systemPrompt, activeLeafId, at.getTime(), nextChange(db)];
    return toChatOrNull(db.get(UPDATE_CHAT, ...values, chatId, ownerId) as ChatRow | undefined);
  },
  clearChat: (ownerId, chatId, at) => {
    const row = db.get(CLEAR_CHAT, at.getTime(), nextChange(db), chatId, ownerId) as ChatRow | undefined;
    if (!row) return null;
    const messages = db.all(CHAT_MESSAGE_IDS, chatId) as { id: string }[];
    buryMessages(
      db,
      ownerId,
      messages.map(({ id }) => id),
    );
    db.run('DELETE FROM messages WHERE chat_id = ?', chatId);
    return toChat(row);
  },
  deleteChat: (ownerId, chatId) => db.run('DELETE FROM chats WHERE id = ? AND owner_id = ?', chatId, ownerId) === 1,
  deleteChats: (ownerId) =>
    (db.all('DELETE FROM chats WHERE owner_id = ? RETURNING id', ownerId) as { id: string }[]).map((row) => row.id),
  countChats: () => ({ ...(db.get(COUNT_CHATS) as ChatCounts) }),
  listIdleChats: (before, limit) =>
    (db.all(IDLE_CHATS, before.getTime(), limit) as Pick<ChatRow, 'id' | 'owner_id'>[]).map((row) => ({
      id: row.id,
      ownerId: row.owner_id,
    })),
});
