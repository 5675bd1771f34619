import { trusted } from 'mongoose';
import type { Message } from '../entities.ts';
import { ChatFullError, MissingReferenceError } from '../errors.ts';
import type { NewTurn } from '../stores.ts';
import type { ChatRow } from './chat.model.ts';
import { liveChat, toChatRow } from './chat.rows.ts';
import type { Collections } from './collections.ts';
import { UNFINISHED } from './message.model.ts';
import { toMessage, toMessageRow } from './message.rows.ts';
import type { TurnRow } from './turn.model.ts';

/** A turn as it would be stored on the chat as it is now, with the two messages that its caller gets back. */
export interface TurnDraft {
  readonly row: TurnRow;
  readonly userMessage: Message;
  readonly reply: Message;
}

export const turnKey = (ownerId: string, clientMessageId: string): string => `${ownerId}:${clientMessageId}`;

const newChatRow = (turn: NewTurn, given: NonNullable<NewTurn['newChat']>): ChatRow =>
  toChatRow({
    id: turn.chatId,
    ownerId: turn.ownerId,
    createdBy: turn.createdBy,
    ...given,
    activeLeafId: null,
    messageCount: 0,
    lastMessagePreview: null,
    lastSeq: 0,
    createdAt: turn.at,
    updatedAt: turn.at,
    rev: 0,
  });

const newMessage = (turn: NewTurn): Omit<Message, 'id' | 'seq' | 'parentId' | 'role' | 'content' | 'status'> => ({
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

/** The chat as the turn leaves it; the same numbers that `turnCommit` sets on a chat that is there. */
const chatAfter = (chat: ChatRow, turn: NewTurn, stored: readonly Message[]): ChatRow => ({
  ...chat,
  activeLeafId: turn.reply.id,
  messageCount: chat.messageCount + stored.length,
  lastMessagePreview: turn.preview,
  lastSeq: chat.lastSeq + stored.length,
  rev: chat.rev + 1,
});

/**
 * Reads what a turn builds on. `isFirstTry`: a turn that makes its chat then needs no read at all.
 * @throws MissingReferenceError, ChatFullError
 */
export const createDrafter = ({ chats, messages }: Collections) => {
  const chatFor = async (turn: NewTurn, isFirstTry: boolean): Promise<{ chat: ChatRow; isNew: boolean }> => {
    const isThere = turn.newChat === null || !isFirstTry;
    const chat = isThere ? await chats.findOne(liveChat(turn.ownerId, turn.chatId)).lean() : null;
    if (chat) return { chat, isNew: false };
    if (!turn.newChat) throw new MissingReferenceError('chat');
    return { chat: newChatRow(turn, turn.newChat), isNew: true };
  };

  /** The message that the turn hangs on, read only when the caller names it or a reply is all that is added. */
  const parentFor = async (turn: NewTurn, chat: ChatRow): Promise<{ id: string | null; message: Message | null }> => {
    const id = turn.parentId === undefined ? chat.activeLeafId : turn.parentId;
    if (id === null || (turn.parentId === undefined && turn.userMessage)) return { id, message: null };
    const row = await messages.findOne({ _id: id, ownerId: turn.ownerId, chatId: turn.chatId }).lean();
    if (!row) throw new MissingReferenceError('parent');
    return { id, message: toMessage(row) };
  };

  const userMessageFor = (turn: NewTurn, chat: ChatRow, parent: { id: string | null; message: Message | null }) => {
    if (turn.userMessage) {
      const fields = { seq: chat.lastSeq + 1, parentId: parent.id, role: 'user', status: 'complete' } as const;
      return { ...newMessage(turn), ...turn.userMessage, ...fields };
    }
    if (parent.message?.role !== 'user') throw new MissingReferenceError('parent');
    return parent.message;
  };

  /** Read after the chat: every turn up to the chat's `lastSeq` has stored its reply by then. */
  const mustWait = async (turn: NewTurn, isNew: boolean): Promise<boolean> => {
    if (isNew) return false;
    const unfinished = await messages.countDocuments({
      ownerId: turn.ownerId,
      chatId: turn.chatId,
      status: trusted({ $in: UNFINISHED }),
    });
    if (unfinished > turn.maxUnfinished) throw new ChatFullError();
    return unfinished > 0;
  };

  return async (turn: NewTurn, isFirstTry: boolean): Promise<TurnDraft> => {
    const { chat, isNew } = await chatFor(turn, isFirstTry);
    const userMessage: Message = userMessageFor(turn, chat, await parentFor(turn, chat));
    const isQueued = await mustWait(turn, isNew);
    const reply: Message = {
      ...newMessage(turn),
      ...turn.reply,
      seq: chat.lastSeq + (turn.userMessage ? 2 : 1),
      parentId: userMessage.id,
      role: 'assistant',
      content: '',
      status: isQueued ? 'queued' : 'pending',
      lease: isQueued ? null : turn.lease,
    };
    const stored = turn.userMessage ? [userMessage, reply] : [reply];
    const row: TurnRow = {
      _id: turnKey(turn.ownerId, turn.clientMessageId),
      ownerId: turn.ownerId,
      clientMessageId: turn.clientMessageId,
      fingerprint: turn.fingerprint,
      chatId: turn.chatId,
      seq: chat.lastSeq + 1,
      userMessageId: userMessage.id,
      replyId: reply.id,
      createdAt: turn.at,
      state: 'open',
      content: {
        messages: stored.map(toMessageRow),
        newChat: isNew ? chatAfter(chat, turn, stored) : null,
        clearedSeq: chat.clearedSeq,
        preview: turn.preview,
      },
    };
    return { row, userMessage, reply };
  };
};
