import type { Deletion } from '../stores.ts';
import { rowSchema } from './schema.ts';

/** What stays of something deleted, so that devices hear of it: its ids. */
export interface TombstoneRow {
  readonly _id: string;
  readonly ownerId: string;
  readonly kind: Deletion['kind'];
  readonly ids: readonly string[];
  readonly deletedAt: Date;
  /** See changeSets.ts. */
  readonly unlisted: boolean;
}

export const tombstoneSchema = rowSchema<TombstoneRow>({
  ownerId: String,
  kind: String,
  ids: [String],
  deletedAt: Date,
  unlisted: Boolean,
});
tombstoneSchema.index({ ownerId: 1, unlisted: 1 });
tombstoneSchema.index({ deletedAt: 1 });
