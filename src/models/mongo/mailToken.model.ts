import type { MailToken } from '../entities.ts';
import { rowSchema } from './schema.ts';

/** `_id` is owner and kind, so that a new token takes the place of the old. */
export interface MailTokenRow extends MailToken {
  readonly _id: string;
}

export const mailTokenSchema = rowSchema<MailTokenRow>({
  kind: String,
  ownerId: String,
  hash: String,
  email: String,
  expiresAt: Date,
});
mailTokenSchema.index({ hash: 1 }, { unique: true });
mailTokenSchema.index({ ownerId: 1 });
mailTokenSchema.index({ expiresAt: 1 });
