import type { Reservation } from '../stores.ts';
import { nullableText, partSchema, rowSchema } from './schema.ts';

/** What an answer has reserved; `chatId` is null for a stateless one. */
export interface QuotaEntry extends Omit<Reservation, 'limits' | 'ended'> {
  readonly id: string;
  readonly chatId: string | null;
  /** Whether the answer has ended and only what it will have used is reserved; absent: it has not. */
  readonly hasEnded?: boolean;
}

/** All that is reserved of an owner's quotas; `_id` is the owner. Every change raises `version`. */
export interface QuotaRow {
  readonly _id: string;
  readonly version: number;
  readonly entries: readonly QuotaEntry[];
}

const entry = partSchema({
  id: String,
  chatId: nullableText,
  nodeId: String,
  until: Date,
  tokens: Number,
  costMicroUsd: Number,
  hasEnded: Boolean,
});

export const quotaSchema = rowSchema<QuotaRow>({ version: Number, entries: [entry] });

/** Until when a node is known to live, and with it what it has reserved: one write for all of that. */
export interface QuotaNodeRow {
  readonly _id: string;
  readonly until: Date;
}

export const quotaNodeSchema = rowSchema<QuotaNodeRow>({ until: Date });
