import type { Login } from '../entities.ts';
import { nullableDate, nullableText, rowSchema } from './schema.ts';

export interface LoginRow extends Omit<Login, 'id'> {
  readonly _id: string;
  /** The intent that ended it together with others; null when it ended alone or is live. */
  readonly endedBy: string | null;
}

export const loginSchema = rowSchema<LoginRow>({
  ownerId: String,
  device: String,
  ip: String,
  tokenHash: String,
  generation: Number,
  rotatedAt: Date,
  createdAt: Date,
  lastSeenAt: Date,
  idleExpiresAt: Date,
  expiresAt: Date,
  endedAt: nullableDate,
  endedBy: nullableText,
});
loginSchema.index({ ownerId: 1, endedAt: 1 });
loginSchema.index({ ownerId: 1, createdAt: 1, _id: 1 });
loginSchema.index({ endedAt: 1 });
loginSchema.index({ expiresAt: 1 });
loginSchema.index({ idleExpiresAt: 1 });
