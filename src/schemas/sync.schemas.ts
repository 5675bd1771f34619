import { z } from 'zod';
import type { Chat, Message } from '../models/entities.ts';
import { chatSchema, toChatView } from './chat.schemas.ts';
import { pageQuery } from './common.ts';
import { messageSchema, toMessageView } from './message.schemas.ts';

export const syncSchema = z.strictObject({
  ...pageQuery(200, 500),
  cursor: z.string().max(512).optional().meta({
    description: 'Opaque: `cursor` of the answer before; without one, everything from the beginning',
  }),
});
export type SyncQuery = z.infer<typeof syncSchema>;

export const syncPageSchema = z
  .strictObject({
    chats: z.array(chatSchema),
    messages: z.array(messageSchema),
    deleted: z.array(z.strictObject({ kind: z.enum(['chat', 'message']), id: z.string() })),
    cursor: z.string(),
    more: z.boolean(),
  })
  .meta({ id: 'SyncPage' });

export type SyncPageView = z.infer<typeof syncPageSchema>;

/** What changed, as the service tells it. */
export interface SyncPage {
  readonly chats: readonly Chat[];
  readonly messages: readonly Message[];
  readonly deleted: readonly { readonly kind: 'chat' | 'message'; readonly id: string }[];
  readonly cursor: string;
  readonly more: boolean;
}

/** What clients see of it. A client that holds every message finds their siblings by `parentId`. */
export const toSyncView = (page: SyncPage): SyncPageView => ({
  chats: page.chats.map(toChatView),
  messages: page.messages.map(toMessageView),
  deleted: page.deleted.map(({ kind, id }) => ({ kind, id })),
  cursor: page.cursor,
  more: page.more,
});
