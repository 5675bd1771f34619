import type { ApiKey, Scope } from '../entities.ts';
import type { ApiKeyStore } from '../stores.ts';
import type { Database } from './database.ts';
import type { Sync } from './sync.ts';
import { before, fromJson, inserter, toDate, toDateOrNull, toJson, toTime } from './table.ts';

interface ApiKeyRow {
  readonly id: string;
  readonly owner_id: string;
  readonly name: string;
  readonly hash: string;
  readonly prefix: string;
  readonly scopes: string;
  readonly created_at: number;
  readonly expires_at: number | null;
  readonly last_used_at: number | null;
  readonly revoked_at: number | null;
}

const toEntity = (row: ApiKeyRow): ApiKey => ({
  id: row.id,
  ownerId: row.owner_id,
  name: row.name,
  hash: row.hash,
  prefix: row.prefix,
  scopes: fromJson(row.scopes) as Scope[],
  createdAt: toDate(row.created_at),
  expiresAt: toDateOrNull(row.expires_at),
  lastUsedAt: toDateOrNull(row.last_used_at),
  revokedAt: toDateOrNull(row.revoked_at),
});

const insertKey = inserter<ApiKey>('api_keys', {
  id: (key) => key.id,
  owner_id: (key) => key.ownerId,
  name: (key) => key.name,
  hash: (key) => key.hash,
  prefix: (key) => key.prefix,
  scopes: (key) => toJson(key.scopes),
  created_at: (key) => key.createdAt.getTime(),
  expires_at: (key) => toTime(key.expiresAt),
  last_used_at: (key) => toTime(key.lastUsedAt),
  revoked_at: (key) => toTime(key.revokedAt),
});

const COUNT_KEYS = 'SELECT count(*) AS count FROM api_keys WHERE owner_id = ? AND revoked_at IS NULL';

const LIST_KEYS = `
SELECT * FROM api_keys WHERE owner_id = ? AND revoked_at IS NULL AND (created_at, id) < (?, ?)
ORDER BY created_at DESC, id DESC LIMIT ?`;

const REVOKE_KEY = 'UPDATE api_keys SET revoked_at = ? WHERE id = ? AND owner_id = ? AND revoked_at IS NULL';
const REVOKE_KEYS = 'UPDATE api_keys SET revoked_at = ? WHERE owner_id = ? AND revoked_at IS NULL RETURNING id';
const TOUCH_KEY = 'UPDATE api_keys SET last_used_at = ? WHERE id = ? AND coalesce(last_used_at, 0) < ?';

const DELETE_KEYS = `
DELETE FROM api_keys WHERE id IN (
  SELECT id FROM api_keys WHERE coalesce(revoked_at, expires_at) < ? ORDER BY coalesce(revoked_at, expires_at) LIMIT ?)`;

export const createApiKeyStore = (db: Database): Sync<ApiKeyStore> => ({
  createKey: (key, max) => {
    if ((db.get(COUNT_KEYS, key.ownerId) as { count: number }).count >= max) return false;
    insertKey(db, key);
    return true;
  },
  findKeyByHash: (hash) => {
    const row = db.get('SELECT * FROM api_keys WHERE hash = ?', hash) as ApiKeyRow | undefined;
    return row ? toEntity(row) : null;
  },
  listKeys: (ownerId, { after, limit }) =>
    (db.all(LIST_KEYS, ownerId, ...before(after), limit) as ApiKeyRow[]).map(toEntity),
  revokeKey: (ownerId, keyId, at) => db.run(REVOKE_KEY, at.getTime(), keyId, ownerId) === 1,
  revokeKeys: (ownerId, at) => (db.all(REVOKE_KEYS, at.getTime(), ownerId) as { id: string }[]).map((row) => row.id),
  touchKeys: (seen) => {
    for (const { id, at } of seen) db.run(TOUCH_KEY, at.getTime(), id, at.getTime());
  },
  deleteEndedKeys: (time, limit) => db.run(DELETE_KEYS, time.getTime(), limit),
});
