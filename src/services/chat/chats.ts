import type { Clock } from '../../lib/clock.ts';
import { AppError } from '../../lib/errors.ts';
import { newId } from '../../lib/ids.ts';
import type { Chat } from '../../models/entities.ts';
import type { ChatSort, Stores } from '../../models/stores.ts';
import type { CreateChat, ListChats, UpdateChat } from '../../schemas/chat.schemas.ts';
import type { Page } from '../../schemas/common.ts';
import type { Actor } from '../auth/actor.ts';
import type { ContextService } from '../context/index.ts';
import type { EventBus } from '../events.ts';
import type { RepliesService } from '../replies/index.ts';
import type { ChatRules } from './chatRules.ts';
import { cursors } from './pageCursor.ts';

export interface ChatsOptions {
  readonly stores: Pick<Stores, 'chats' | 'messages'>;
  readonly rules: ChatRules;
  readonly replies: Pick<RepliesService, 'stopChat' | 'stopOwner'>;
  readonly context: Pick<ContextService, 'forget'>;
  readonly events: EventBus;
  readonly clock: Clock;
}

/** Chats as things of their own; all methods throw `CHAT_NOT_FOUND` for a chat that is not the actor's. */
export interface Chats {
  createChat(actor: Actor, input: CreateChat): Promise<Chat>;
  getChat(actor: Actor, chatId: string): Promise<Chat>;
  listChats(actor: Actor, query: ListChats): Promise<Page<Chat>>;
  /**
   * With `activeLeafId` the branch through that message is shown, down to its newest end.
   * @throws AppError `MESSAGE_NOT_FOUND` when that is none of the chat's, and nothing is changed then
   */
  updateChat(actor: Actor, chatId: string, changes: UpdateChat): Promise<Chat>;
  /** Stops what runs, deletes the messages, keeps the chat. */
  clearChat(actor: Actor, chatId: string): Promise<void>;
  /** Stops what runs, deletes the chat and its messages. */
  deleteChat(actor: Actor, chatId: string): Promise<void>;
  /** Stops what runs, deletes every chat of the actor. */
  deleteChats(actor: Actor): Promise<void>;
  /** Deletes a chat that has been idle for too long. For the sweeper, which acts for nobody. */
  expireChat(ownerId: string, chatId: string): Promise<void>;
}

const sortTime = (chat: Chat, sort: ChatSort): Date => (sort.endsWith('createdAt') ? chat.createdAt : chat.updatedAt);

export const createChats = (options: ChatsOptions): Chats => {
  const { stores, rules, replies, context, events, clock } = options;

  const found = <T>(value: T | null): T => {
    if (value === null) throw new AppError('CHAT_NOT_FOUND');
    return value;
  };

  const announceDeleted = (ownerId: string, chatId: string): void => {
    context.forget(chatId);
    events.publish('chatDeleted', { ownerId, chatId });
  };

  const removeChat = async (ownerId: string, chatId: string): Promise<boolean> => {
    await replies.stopChat(chatId);
    const isDeleted = await stores.chats.deleteChat(ownerId, chatId);
    if (isDeleted) announceDeleted(ownerId, chatId);
    return isDeleted;
  };

  const showBranch = async ({ ownerId }: Actor, chatId: string, messageId: string): Promise<Chat> => {
    const chat = await stores.messages.showBranch(ownerId, chatId, messageId, new Date(clock.now()));
    if (chat) return chat;
    found(await stores.chats.findChat(ownerId, chatId));
    throw new AppError('MESSAGE_NOT_FOUND');
  };

  type Fields = Omit<UpdateChat, 'activeLeafId'>;
  const changeFields = async ({ ownerId }: Actor, chatId: string, fields: Fields): Promise<Chat> => {
    const { title, model, systemPrompt } = fields;
    const changes = {
      ...(title === undefined ? {} : { title }),
      ...(model === undefined ? {} : { model }),
      ...(systemPrompt === undefined ? {} : { systemPrompt }),
    };
    return found(await stores.chats.updateChat(ownerId, chatId, changes, new Date(clock.now())));
  };

  return {
    createChat: async (actor, input) => {
      rules.checkModel(input.model);
      rules.checkSystemPrompt(input.systemPrompt);
      const at = new Date(clock.now());
      const chat: Chat = {
        id: newId(),
        ownerId: actor.ownerId,
        createdBy: actor.userId,
        title: input.title ?? 'New chat',
        model: input.model ?? null,
        systemPrompt: input.systemPrompt ?? null,
        activeLeafId: null,
        messageCount: 0,
        lastMessagePreview: null,
        lastSeq: 0,
        createdAt: at,
        updatedAt: at,
        rev: 1,
      };
      await stores.chats.createChat(chat);
      events.publish('chatCreated', { ownerId: actor.ownerId, chat });
      return chat;
    },

    getChat: async (actor, chatId) => found(await stores.chats.findChat(actor.ownerId, chatId)),

    listChats: async (actor, { limit, cursor, q, sort }) => {
      const after = cursor === undefined ? null : cursors.chats.decode(cursor);
      if (after && after[0] !== sort)
        throw new AppError('CURSOR_INVALID', { detail: 'The cursor belongs to another sort' });
      const chats = await stores.chats.listChats(actor.ownerId, {
        sort,
        titleQuery: q ?? null,
        after: after && { at: new Date(after[1]), id: after[2] },
        limit: limit + 1,
      });
      const items = chats.slice(0, limit);
      const last = items.at(-1);
      const hasMore = chats.length > limit && last !== undefined;
      return {
        items,
        nextCursor: hasMore ? cursors.chats.encode(sort, sortTime(last, sort).getTime(), last.id) : null,
      };
    },

    updateChat: async (actor, chatId, changes) => {
      rules.checkModel(changes.model ?? undefined);
      rules.checkSystemPrompt(changes.systemPrompt ?? undefined);
      const { activeLeafId, ...fields } = changes;
      const shown = activeLeafId === undefined ? null : await showBranch(actor, chatId, activeLeafId);
      const chat = shown && Object.keys(fields).length === 0 ? shown : await changeFields(actor, chatId, fields);
      events.publish('chatUpdated', { ownerId: actor.ownerId, chat });
      return chat;
    },

    clearChat: async (actor, chatId) => {
      found(await stores.chats.findChat(actor.ownerId, chatId));
      await replies.stopChat(chatId);
      const chat = found(await stores.chats.clearChat(actor.ownerId, chatId, new Date(clock.now())));
      context.forget(chatId);
      events.publish('chatUpdated', { ownerId: actor.ownerId, chat });
    },

    deleteChat: async (actor, chatId) => {
      found(await stores.chats.findChat(actor.ownerId, chatId));
      if (!(await removeChat(actor.ownerId, chatId))) throw new AppError('CHAT_NOT_FOUND');
    },

    expireChat: async (ownerId, chatId) => {
      await removeChat(ownerId, chatId);
    },

    deleteChats: async (actor) => {
      await replies.stopOwner(actor.ownerId);
      const ids = await stores.chats.deleteChats(actor.ownerId);
      for (const chatId of ids) announceDeleted(actor.ownerId, chatId);
    },
  };
};
