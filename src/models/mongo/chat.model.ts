import type { Chat } from '../entities.ts';
import { markChanges, nullableDate, nullableText, rowSchema } from './schema.ts';

export interface ChatRow extends Omit<Chat, 'id'> {
  readonly _id: string;
  /** The title in lower case, for searches: JavaScript's rules are the same under every server and locale. */
  readonly titleKey: string;
  /** Messages up to this `seq` are deleted, or about to be. */
  readonly clearedSeq: number;
  /** The chat is gone; the row stays for a while, so that nothing late can bring it back (removals.ts). */
  readonly deleted: boolean;
  /** The intent that deleted it together with others; null when it was deleted alone or is there. */
  readonly removedBy: string | null;
  readonly removedAt: Date | null;
  /** When its deleted messages are next looked for; null when there is nothing to sweep. */
  readonly sweepAt: Date | null;
  /** See changeSets.ts. */
  readonly unlisted: boolean;
}

export const chatSchema = rowSchema<ChatRow>({
  ownerId: String,
  createdBy: String,
  title: String,
  titleKey: String,
  model: nullableText,
  systemPrompt: nullableText,
  activeLeafId: nullableText,
  messageCount: Number,
  lastMessagePreview: nullableText,
  lastSeq: Number,
  createdAt: Date,
  updatedAt: Date,
  rev: Number,
  clearedSeq: Number,
  deleted: Boolean,
  removedBy: nullableText,
  removedAt: nullableDate,
  sweepAt: nullableDate,
  unlisted: Boolean,
});
markChanges(chatSchema);
// `_id` closes both orders, so that a page can begin between two chats of one time.
chatSchema.index({ ownerId: 1, deleted: 1, updatedAt: 1, _id: 1 });
chatSchema.index({ ownerId: 1, deleted: 1, createdAt: 1, _id: 1 });
chatSchema.index({ deleted: 1, updatedAt: 1 });
chatSchema.index({ sweepAt: 1 });
