import type { FailureCount } from '../stores.ts';
import { rowSchema } from './schema.ts';

/** `_id` is the key. */
export interface FailureRow extends FailureCount {
  readonly _id: string;
  /** From when on it counts no more. */
  readonly expiresAt: Date;
}

export const failureSchema = rowSchema<FailureRow>({
  failures: Number,
  firstAt: Date,
  lastAt: Date,
  expiresAt: Date,
});
failureSchema.index({ expiresAt: 1 });
