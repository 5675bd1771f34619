import { Schema } from 'mongoose';
import type { ChatRow } from './chat.model.ts';
import type { MessageRow } from './message.model.ts';
import { rowSchema } from './schema.ts';

/** Everything that a turn stores besides its own row, ready to be written again and again. */
export interface TurnContent {
  readonly messages: readonly MessageRow[];
  /** The chat as this turn makes it; null when it adds to one that is there. */
  readonly newChat: ChatRow | null;
  /** The chat's `clearedSeq` when the turn was built: another one later says that its parent is gone. */
  readonly clearedSeq: number;
  readonly preview: string;
}

/** What a deletion takes away. It has a place among its chat's turns, so that none can hang on what is about to go. */
export interface RemovalContent {
  readonly removedIds: readonly string[];
  /** What is shown of the chat if its active leaf was among them. */
  readonly leaf: { readonly id: string | null; readonly preview: string | null };
  /** The chat's `clearedSeq` when the deletion was built: another one later says that it has nothing left to do. */
  readonly clearedSeq: number;
}

/**
 * The commit document of a turn: once it is stored, the turn is; everything else follows from its content (turnCommit.ts).
 * `_id` is `ownerId:clientMessageId` and stays for ever. It and the index over the chat's `seq` decide which of two
 * turns was first; both begin with the owner, so that they stay unique when the collection is sharded by owner.
 */
export interface TurnRow {
  readonly _id: string;
  readonly ownerId: string;
  readonly clientMessageId: string;
  readonly fingerprint: string;
  readonly chatId: string;
  /** Of its first message. */
  readonly seq: number;
  readonly userMessageId: string;
  readonly replyId: string;
  readonly createdAt: Date;
  /** `open`: what follows from the content may not be written yet. `done`: it is, and the content is dropped. */
  readonly state: 'open' | 'done';
  readonly content: TurnContent | RemovalContent | null;
}

export const turnSchema = rowSchema<TurnRow>({
  ownerId: String,
  clientMessageId: String,
  fingerprint: String,
  chatId: String,
  seq: Number,
  userMessageId: String,
  replyId: String,
  createdAt: Date,
  state: String,
  content: { type: Schema.Types.Mixed, default: null },
});
turnSchema.index({ ownerId: 1, chatId: 1, seq: 1 }, { unique: true });
turnSchema.index({ state: 1, createdAt: 1 });
