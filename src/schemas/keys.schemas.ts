import { z } from 'zod';
import type { ApiKey } from '../models/entities.ts';
import { text, timestamp } from './common.ts';

const scope = z.enum(['chat', 'read']);

export const keySchema = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    prefix: z.string().meta({ description: 'How the key begins' }),
    scopes: z.array(scope),
    expiresAt: timestamp.nullable(),
    lastUsedAt: timestamp.nullable().meta({ description: 'To a minute' }),
    createdAt: timestamp,
  })
  .meta({ id: 'ApiKey' });

export const createdKeySchema = keySchema
  .extend({ key: z.string().meta({ description: 'The key itself, shown here and never again' }) })
  .meta({ id: 'CreatedApiKey' });

export const createKeySchema = z
  .strictObject({
    name: text(1, 100),
    scopes: z.array(scope).min(1).max(2),
    /** Unset: it is good until it is revoked. */
    expiresAt: z.iso
      .datetime({ offset: true })
      .transform((value) => new Date(value))
      .optional(),
  })
  .meta({ id: 'CreateApiKey' });
export type CreateKey = z.output<typeof createKeySchema>;

export const toKeyView = (key: ApiKey): z.infer<typeof keySchema> => ({
  id: key.id,
  name: key.name,
  prefix: key.prefix,
  scopes: [...key.scopes],
  expiresAt: key.expiresAt?.toISOString() ?? null,
  lastUsedAt: key.lastUsedAt?.toISOString() ?? null,
  createdAt: key.createdAt.toISOString(),
});
