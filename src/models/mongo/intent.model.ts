import { rowSchema } from './schema.ts';

/**
 * What one call is about to do to many rows, written before the first of them: a crash in the middle is finished from
 * it, so that such a call too happens whole. Removed when it is done.
 */
export interface IntentRow {
  readonly _id: string;
  readonly ownerId: string;
  readonly kind: 'deleteChats' | 'endLogins' | 'revokeKeys';
  readonly targetIds: readonly string[];
  readonly at: Date;
}

export const intentSchema = rowSchema<IntentRow>({
  ownerId: String,
  kind: String,
  targetIds: [String],
  at: Date,
});
intentSchema.index({ ownerId: 1 });
