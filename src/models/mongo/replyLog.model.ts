import type { LogEntry } from '../stores.ts';
import { rowSchema } from './schema.ts';

/**
 * What a running reply has said so far, in pieces. `_id` is `ownerId:messageId:offset` with the offset in ten digits:
 * it makes an entry unique and keeps the entries of a reply together and in order, so that the collection which is
 * written most needs no second index.
 */
export interface ReplyLogRow extends LogEntry {
  readonly _id: string;
}

export const replyLogSchema = rowSchema<ReplyLogRow>({
  ownerId: String,
  messageId: String,
  offset: Number,
  text: String,
});
