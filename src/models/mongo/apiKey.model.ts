import type { ApiKey } from '../entities.ts';
import { nullableDate, nullableText, rowSchema } from './schema.ts';

export interface ApiKeyRow extends Omit<ApiKey, 'id'> {
  readonly _id: string;
  /** The intent that revoked it together with others; null when it was revoked alone or is good. */
  readonly revokedBy: string | null;
}

export const apiKeySchema = rowSchema<ApiKeyRow>({
  ownerId: String,
  name: String,
  hash: String,
  prefix: String,
  scopes: [String],
  createdAt: Date,
  expiresAt: nullableDate,
  lastUsedAt: nullableDate,
  revokedAt: nullableDate,
  revokedBy: nullableText,
});
apiKeySchema.index({ hash: 1 }, { unique: true });
apiKeySchema.index({ ownerId: 1, createdAt: 1, _id: 1 });
apiKeySchema.index({ revokedAt: 1 });
apiKeySchema.index({ expiresAt: 1 });
