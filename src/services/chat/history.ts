import { AppError } from '../../lib/errors.ts';
import type { Message } from '../../models/entities.ts';
import type { Stores } from '../../models/stores.ts';
import type { ListMessages } from '../../schemas/chat.schemas.ts';
import type { Page } from '../../schemas/common.ts';
import type { Actor } from '../auth/actor.ts';
import type { RepliesService, ReplyHandle } from '../replies/index.ts';
import { cursors } from './pageCursor.ts';
import type { SeenMessage, Siblings } from './siblings.ts';

export interface HistoryOptions {
  readonly stores: Pick<Stores, 'chats' | 'messages'>;
  readonly replies: Pick<RepliesService, 'handle' | 'stop'>;
  readonly siblings: Siblings;
}

/** Reading what was said, and following or stopping what is being said. */
export interface History {
  /**
   * A page in order of `seq`, the newest page first: of the active branch, or of all messages. Paging stays right while
   * messages arrive, because a cursor names a message and not a place in the list.
   * @throws AppError `CHAT_NOT_FOUND`, `CURSOR_INVALID`
   */
  listMessages(actor: Actor, chatId: string, query: ListMessages): Promise<Page<SeenMessage>>;
  /** @throws AppError `MESSAGE_NOT_FOUND` */
  getMessage(actor: Actor, messageId: string): Promise<SeenMessage>;
  /** @throws AppError `MESSAGE_NOT_FOUND`, also for a message that is no reply */
  getReply(actor: Actor, messageId: string): Promise<ReplyHandle>;
  /** Ends a reply and keeps its text; the same answer when it has ended already. @throws AppError `MESSAGE_NOT_FOUND` */
  stopReply(actor: Actor, messageId: string): Promise<SeenMessage>;
}

export const createHistory = ({ stores, replies, siblings }: HistoryOptions): History => {
  const getMessage = async (actor: Actor, messageId: string): Promise<Message> => {
    const message = await stores.messages.findMessage(actor.ownerId, messageId);
    if (!message) throw new AppError('MESSAGE_NOT_FOUND');
    return message;
  };

  const getAssistantMessage = async (actor: Actor, messageId: string): Promise<Message> => {
    const message = await getMessage(actor, messageId);
    if (message.role !== 'assistant') throw new AppError('MESSAGE_NOT_FOUND', { detail: 'The message is not a reply' });
    return message;
  };

  /** A running reply's text on this node is a tick newer than its log. */
  const withLiveText = (message: Message): Message => {
    if (message.lease === null) return message;
    const live = replies.handle(message, '').current();
    // Feedback reaches the store alone, and raises its `rev`.
    return { ...live, feedback: message.feedback, rev: Math.max(live.rev, message.rev) };
  };

  const branchPage = async (actor: Actor, chatId: string, query: ListMessages): Promise<Page<Message>> => {
    const chat = await stores.chats.findChat(actor.ownerId, chatId);
    if (!chat) throw new AppError('CHAT_NOT_FOUND');
    const fromId = query.cursor === undefined ? chat.activeLeafId : cursors.branch.decode(query.cursor);
    if (fromId === null) return { items: [], nextCursor: null };
    const page = await stores.messages.listBranch(actor.ownerId, chatId, fromId, query.limit);
    const nextId = page.at(-1)?.parentId ?? null;
    return {
      items: page.reverse().map(withLiveText),
      nextCursor: nextId === null ? null : cursors.branch.encode(nextId),
    };
  };

  const treePage = async (actor: Actor, chatId: string, query: ListMessages): Promise<Page<Message>> => {
    const beforeSeq = query.cursor === undefined ? null : cursors.tree.decode(query.cursor);
    const [chat, page] = await Promise.all([
      stores.chats.findChat(actor.ownerId, chatId),
      stores.messages.listMessages(actor.ownerId, chatId, beforeSeq, query.limit + 1),
    ]);
    if (!chat) throw new AppError('CHAT_NOT_FOUND');
    const items = page.slice(0, query.limit);
    const oldest = items.at(-1);
    const hasMore = page.length > query.limit && oldest !== undefined;
    return { items: items.reverse().map(withLiveText), nextCursor: hasMore ? cursors.tree.encode(oldest.seq) : null };
  };

  const seeOne = async (message: Message): Promise<SeenMessage> => {
    const [seen = { ...message, siblings: [] }] = await siblings.see([withLiveText(message)]);
    return seen;
  };

  return {
    listMessages: async (actor, chatId, query) => {
      const page = await (query.all ? treePage : branchPage)(actor, chatId, query);
      return { ...page, items: await siblings.see(page.items) };
    },
    getMessage: async (actor, messageId) => seeOne(await getMessage(actor, messageId)),
    getReply: async (actor, messageId) => {
      const message = await getAssistantMessage(actor, messageId);
      return replies.handle(message, message.clientMessageId ?? '');
    },
    stopReply: async (actor, messageId) => {
      await replies.stop(await getAssistantMessage(actor, messageId));
      return seeOne(await getMessage(actor, messageId));
    },
  };
};
