import { z } from 'zod';
import type { Chat } from '../models/entities.ts';
import { flag, idRef, pageOf, pageQuery, text, timestamp } from './common.ts';
import { messageSchema } from './message.schemas.ts';

/** Characters that a `clientMessageId` may have; the contract bounds it at 64 characters. */
export const clientMessageId = text(1, 64);
export const TITLE_MAX_CHARS = 255;
export const SYSTEM_PROMPT_MAX_CHARS = 8000;
/** No configuration raises a message above this, so that the 256 KB body limit is never what refuses it. */
export const MESSAGE_HARD_MAX_CHARS = 50_000;

export const chatSchema = z
  .strictObject({
    id: z.string(),
    title: z.string(),
    model: z.string().nullable(),
    systemPrompt: z.string().nullable().optional(),
    activeLeafId: z.string().nullable(),
    messageCount: z.int(),
    lastMessagePreview: z.string().nullable(),
    createdAt: timestamp,
    updatedAt: timestamp,
    rev: z.int(),
  })
  .meta({ id: 'Chat' });

export type ChatView = z.infer<typeof chatSchema>;

/** What clients see of a chat. */
export const toChatView = (chat: Chat): ChatView => ({
  id: chat.id,
  title: chat.title,
  model: chat.model,
  ...(chat.systemPrompt === null ? {} : { systemPrompt: chat.systemPrompt }),
  activeLeafId: chat.activeLeafId,
  messageCount: chat.messageCount,
  lastMessagePreview: chat.lastMessagePreview,
  createdAt: chat.createdAt.toISOString(),
  updatedAt: chat.updatedAt.toISOString(),
  rev: chat.rev,
});

/** A slug, `auto`, `auto:fast`, `auto:cheap`, or several slugs with commas between them, any of which may answer. */
export const modelName = z.string().min(1).max(512);
const systemPrompt = text(1, SYSTEM_PROMPT_MAX_CHARS);

export const whenBusy = z.enum(['queue', 'reject', 'interrupt']);
export type WhenBusy = z.infer<typeof whenBusy>;
export const messageContent = text(1, MESSAGE_HARD_MAX_CHARS);

export const midStreamFailover = z.boolean().meta({
  description: 'Whether another model continues a reply that broke off; unset: as the server is configured',
});

const sendFields = {
  content: messageContent,
  chatId: idRef.optional(),
  parentId: idRef.nullable().optional(),
  clientMessageId: clientMessageId.optional(),
  model: modelName.optional(),
  whenBusy: whenBusy.optional(),
  systemPrompt: systemPrompt.optional(),
  midStreamFailover: midStreamFailover.optional(),
};

/** A send as every door takes it. */
export const sendMessageSchema = z.strictObject(sendFields).meta({ id: 'SendMessage' });
export type SendMessage = z.infer<typeof sendMessageSchema>;

/** A send over REST, which also says how it wants the answer. */
export const postMessageSchema = z
  .strictObject({ ...sendFields, stream: z.boolean().optional() })
  .meta({ id: 'PostMessage' });

export const idempotencyKeySchema = clientMessageId;

export const sentMessageSchema = z.strictObject({
  chat: chatSchema,
  userMessage: messageSchema,
  message: messageSchema,
  duplicate: z.boolean(),
});

export const createChatSchema = z
  .strictObject({
    title: text(1, TITLE_MAX_CHARS).optional(),
    model: modelName.optional(),
    systemPrompt: systemPrompt.optional(),
  })
  .meta({ id: 'CreateChat' });
export type CreateChat = z.infer<typeof createChatSchema>;

export const updateChatSchema = z
  .strictObject({
    title: text(1, TITLE_MAX_CHARS).optional(),
    model: modelName.nullable().optional(),
    systemPrompt: systemPrompt.nullable().optional(),
    activeLeafId: idRef.optional(),
  })
  .refine((changes) => Object.keys(changes).length > 0, 'must change something')
  .meta({ id: 'UpdateChat' });
export type UpdateChat = z.infer<typeof updateChatSchema>;

export const listChatsSchema = z.strictObject({
  ...pageQuery(),
  q: text(1, TITLE_MAX_CHARS).optional(),
  sort: z.enum(['createdAt', 'updatedAt', '-createdAt', '-updatedAt']).default('-updatedAt'),
});
export type ListChats = z.infer<typeof listChatsSchema>;

const historyPage = pageQuery(50, 200);
export const listMessagesSchema = z.strictObject({ ...historyPage, all: flag });
export type ListMessages = z.infer<typeof listMessagesSchema>;
export const historySchema = z.strictObject({ ...historyPage, all: flag, chatId: idRef });
export const clearHistorySchema = z.strictObject({ chatId: idRef.optional() });

export const chatPageSchema = pageOf(chatSchema);
export const messagePageSchema = pageOf(messageSchema);

export const followSchema = z.strictObject({
  offset: z.coerce.number().int().min(0).max(1_000_000_000).optional(),
  ticket: z.string().max(128).optional(),
});
