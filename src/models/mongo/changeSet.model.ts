import { partSchema, rowSchema } from './schema.ts';

export interface ChangeRef {
  readonly kind: 'chat' | 'message' | 'tombstone';
  readonly id: string;
}

/**
 * Some changes of one owner, gathered by whoever next asked what changed. The sets of an owner form a chain: `_id` is
 * `ownerId:previous`, so that only one set can follow another, and numbers rise along it.
 */
export interface ChangeSetRow {
  readonly _id: string;
  readonly ownerId: string;
  readonly number: number;
  readonly refs: readonly ChangeRef[];
  readonly at: Date;
}

export const changeSetSchema = rowSchema<ChangeSetRow>({
  ownerId: String,
  number: Number,
  refs: [partSchema({ kind: String, id: String })],
  at: Date,
});
changeSetSchema.index({ ownerId: 1, number: 1 });
changeSetSchema.index({ at: 1 });
