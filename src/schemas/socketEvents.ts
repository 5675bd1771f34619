import { z } from 'zod';
import {
  listChatsSchema,
  listMessagesSchema,
  sendMessageSchema,
  TITLE_MAX_CHARS,
  type ChatView,
} from './chat.schemas.ts';
import { idRef, text } from './common.ts';
import { batchSchema, socketEditSchema, socketRegenerateSchema } from './control.schemas.ts';
import type { ReplyEvent } from './events.ts';
import type { MessageView } from './message.schemas.ts';
import type { Problem } from './problem.ts';
import { syncSchema } from './sync.schemas.ts';

export const resumeSchema = z.strictObject({ messageId: idRef, offset: z.int().min(0).max(1_000_000_000) });
export const stopSchema = z.strictObject({ messageId: idRef });
export const socketHistorySchema = listMessagesSchema.extend({ chatId: idRef, all: z.boolean().optional() });
export const renameSchema = z.strictObject({ chatId: idRef, title: text(1, TITLE_MAX_CHARS) });
export const deleteSchema = z.strictObject({ chatId: idRef });
export const authRefreshSchema = z.strictObject({ token: z.string().min(1).max(4096) });

/** What a client may ask over a socket, by event. The answer is always an ack. */
export const clientEvents = {
  'chat:send': sendMessageSchema,
  'chat:resume': resumeSchema,
  'chat:stop': stopSchema,
  'chat:regenerate': socketRegenerateSchema,
  'chat:edit': socketEditSchema,
  'chat:batch': batchSchema,
  'chat:sessions': listChatsSchema,
  'chat:history': socketHistorySchema,
  'chat:rename': renameSchema,
  'chat:delete': deleteSchema,
  'chat:sync': syncSchema,
  'auth:refresh': authRefreshSchema,
} as const;

export type ClientEventName = keyof typeof clientEvents;

export type Ack = (answer: ({ readonly ok: true } & object) | { readonly ok: false; readonly error: Problem }) => void;

/** What the server tells a client: a reply's events, and the entities that changed, each whole. */
export type ServerEvents = {
  [T in ReplyEvent['type'] as `chat:${T}`]: (event: Extract<ReplyEvent, { type: T }>) => void;
} & {
  'chat:message': (event: { message: MessageView; chat: ChatView }) => void;
  'chat:message-updated': (event: { message: MessageView }) => void;
  'chat:created': (event: { chat: ChatView }) => void;
  'chat:updated': (event: { chat: ChatView; deletedMessageIds?: readonly string[] }) => void;
  'chat:deleted': (event: { chatId: string }) => void;
  'auth:expiring': (event: { expiresAt: string }) => void;
  'server:closing': (event: { retryAfterMs: number }) => void;
};
