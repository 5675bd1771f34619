import type { Chat, Message } from '../entities.ts';
import { ChatFullError, MissingReferenceError } from '../errors.ts';
import type { MessageStore, NewTurn, StoredTurn } from '../stores.ts';
import { nextChange } from './changes.ts';
import { findChat, insertChat } from './chat.store.ts';
import type { Database } from './database.ts';
import { findMessage, insertMessage, IS_UNFINISHED } from './message.rows.ts';
import { reserve } from './quota.ts';
import type { Sync } from './sync.ts';
import { inserter } from './table.ts';

interface TurnRow {
  readonly fingerprint: string;
  readonly chat_id: string;
  readonly user_message_id: string;
  readonly reply_id: string;
}

interface TurnKeys {
  readonly turn: NewTurn;
  readonly userMessageId: string;
}

const insertTurn = inserter<TurnKeys>('turns', {
  owner_id: ({ turn }) => turn.ownerId,
  client_message_id: ({ turn }) => turn.clientMessageId,
  fingerprint: ({ turn }) => turn.fingerprint,
  chat_id: ({ turn }) => turn.chatId,
  user_message_id: ({ userMessageId }) => userMessageId,
  reply_id: ({ turn }) => turn.reply.id,
});

export const COUNT_UNFINISHED = `SELECT count(*) AS count FROM messages WHERE chat_id = ? AND ${IS_UNFINISHED}`;

const PARENT_OF_TURN = 'SELECT 1 FROM messages WHERE id = ? AND chat_id = ? AND owner_id = ?';

const UPDATE_CHAT = `
UPDATE chats SET active_leaf_id = ?, message_count = ?, last_message_preview = ?, last_seq = ?, updated_at = ?, rev = ?,
  change = ?
WHERE id = ?`;

const findTurn = (db: Database, ownerId: string, clientMessageId: string): Omit<StoredTurn, 'created'> | null => {
  const row = db.get('SELECT * FROM turns WHERE owner_id = ? AND client_message_id = ?', ownerId, clientMessageId) as
    TurnRow | undefined;
  if (!row) return null;
  const chat = findChat(db, ownerId, row.chat_id);
  const userMessage = findMessage(db, ownerId, row.user_message_id);
  const reply = findMessage(db, ownerId, row.reply_id);
  return { fingerprint: row.fingerprint, turn: chat && userMessage && reply ? { chat, userMessage, reply } : null };
};

/** The chat as it is before the turn: a new one has nothing yet, and revision 0 so that the turn makes it 1. */
const chatBefore = (db: Database, turn: NewTurn): Chat => {
  if (!turn.newChat) {
    const chat = findChat(db, turn.ownerId, turn.chatId);
    if (!chat) throw new MissingReferenceError('chat');
    return chat;
  }
  return {
    id: turn.chatId,
    ownerId: turn.ownerId,
    createdBy: turn.createdBy,
    title: turn.newChat.title,
    model: turn.newChat.model,
    systemPrompt: turn.newChat.systemPrompt,
    activeLeafId: null,
    messageCount: 0,
    lastMessagePreview: null,
    lastSeq: 0,
    createdAt: turn.at,
    updatedAt: turn.at,
    rev: 0,
  };
};

const chatAfter = (turn: NewTurn, chat: Chat): Chat => {
  const added = turn.userMessage ? 2 : 1;
  return {
    ...chat,
    activeLeafId: turn.reply.id,
    messageCount: chat.messageCount + added,
    lastMessagePreview: turn.preview,
    lastSeq: chat.lastSeq + added,
    updatedAt: turn.at,
    rev: chat.rev + 1,
  };
};

/** Where the turn hangs on: a message of the chat, or null when it begins the chat anew. */
const parentOf = (db: Database, turn: NewTurn, chat: Chat): string | null => {
  if (turn.parentId === undefined) return chat.activeLeafId;
  if (turn.parentId === null) return null;
  const isThere = db.get(PARENT_OF_TURN, turn.parentId, chat.id, turn.ownerId) !== undefined;
  if (!isThere) throw new MissingReferenceError('parent');
  return turn.parentId;
};

const blankMessage = (turn: NewTurn): Omit<Message, 'id' | 'seq' | 'parentId' | 'role' | 'content' | 'status'> => ({
  ownerId: turn.ownerId,
  createdBy: turn.createdBy,
  chatId: turn.chatId,
  clientMessageId: turn.clientMessageId,
  model: null,
  finishReason: null,
  usage: null,
  latencyMs: null,
  segments: null,
  error: null,
  feedback: null,
  lease: null,
  createdAt: turn.at,
  updatedAt: turn.at,
  rev: 1,
});

/** The question of the turn; when the turn is a new reply to an old one, that. */
const userMessageOf = (db: Database, turn: NewTurn, chat: Chat): Message => {
  const parentId = parentOf(db, turn, chat);
  if (turn.userMessage) {
    const { id, content } = turn.userMessage;
    return { ...blankMessage(turn), id, seq: chat.lastSeq + 1, parentId, role: 'user', content, status: 'complete' };
  }
  const parent = parentId === null ? null : findMessage(db, turn.ownerId, parentId);
  if (parent?.role !== 'user') throw new MissingReferenceError('parent');
  return parent;
};

const replyOf = (db: Database, turn: NewTurn, place: Pick<Message, 'seq' | 'parentId'>): Message => {
  const unfinished = (db.get(COUNT_UNFINISHED, turn.chatId) as { count: number } | undefined)?.count ?? 0;
  if (unfinished > turn.maxUnfinished) throw new ChatFullError();
  const isQueued = unfinished > 0;
  return {
    ...blankMessage(turn),
    ...place,
    id: turn.reply.id,
    role: 'assistant',
    content: '',
    status: isQueued ? 'queued' : 'pending',
    model: turn.reply.model,
    lease: isQueued ? null : turn.lease,
  };
};

const storeChat = (db: Database, turn: NewTurn, chat: Chat): void => {
  if (turn.newChat) {
    insertChat(db, chat);
    return;
  }
  const { activeLeafId, messageCount, lastMessagePreview, lastSeq, updatedAt, rev } = chat;
  const values = [activeLeafId, messageCount, lastMessagePreview, lastSeq, updatedAt.getTime(), rev, nextChange(db)];
  db.run(UPDATE_CHAT, ...values, chat.id);
};

export const createTurnStore = (db: Database): Pick<Sync<MessageStore>, 'appendTurn' | 'findTurn'> => ({
  appendTurn: (turn) => {
    const known = findTurn(db, turn.ownerId, turn.clientMessageId);
    if (known) return { created: false, ...known };
    const before = chatBefore(db, turn);
    const chat = chatAfter(turn, before);
    const userMessage = userMessageOf(db, turn, before);
    const reply = replyOf(db, turn, { seq: chat.lastSeq, parentId: userMessage.id });
    const { ownerId, chatId, reservation, at } = turn;
    if (reservation) reserve(db, { ownerId, id: reply.id, chatId, reservation, at });
    storeChat(db, turn, chat);
    if (turn.userMessage) insertMessage(db, userMessage);
    insertMessage(db, reply);
    insertTurn(db, { turn, userMessageId: userMessage.id });
    return { created: true, fingerprint: turn.fingerprint, turn: { chat, userMessage, reply } };
  },
  findTurn: (ownerId, clientMessageId) => {
    const known = findTurn(db, ownerId, clientMessageId);
    return known && { created: false, ...known };
  },
});
