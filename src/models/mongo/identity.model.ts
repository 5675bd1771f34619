import type { Identity } from '../entities.ts';
import { nullableText, rowSchema } from './schema.ts';

export interface IdentityRow extends Omit<Identity, 'id'> {
  readonly _id: string;
}

export const identitySchema = rowSchema<IdentityRow>({
  ownerId: String,
  provider: String,
  issuer: String,
  subject: String,
  email: nullableText,
  createdAt: Date,
  lastUsedAt: Date,
});
identitySchema.index({ issuer: 1, subject: 1 }, { unique: true });
identitySchema.index({ ownerId: 1, createdAt: 1, _id: 1 });
