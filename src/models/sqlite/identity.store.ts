import type { Identity } from '../entities.ts';
import type { IdentityStore } from '../stores.ts';
import type { Database } from './database.ts';
import type { Sync } from './sync.ts';
import { inserter, toDate } from './table.ts';
import { createUserStore } from './user.store.ts';

interface IdentityRow {
  readonly id: string;
  readonly owner_id: string;
  readonly provider: string;
  readonly issuer: string;
  readonly subject: string;
  readonly email: string | null;
  readonly created_at: number;
  readonly last_used_at: number;
}

const toEntity = (row: IdentityRow): Identity => ({
  id: row.id,
  ownerId: row.owner_id,
  provider: row.provider,
  issuer: row.issuer,
  subject: row.subject,
  email: row.email,
  createdAt: toDate(row.created_at),
  lastUsedAt: toDate(row.last_used_at),
});

const insertIdentity = inserter<Identity>('identities', {
  id: (identity) => identity.id,
  owner_id: (identity) => identity.ownerId,
  provider: (identity) => identity.provider,
  issuer: (identity) => identity.issuer,
  subject: (identity) => identity.subject,
  email: (identity) => identity.email,
  created_at: (identity) => identity.createdAt.getTime(),
  last_used_at: (identity) => identity.lastUsedAt.getTime(),
});

const LIST_IDENTITIES = 'SELECT * FROM identities WHERE owner_id = ? ORDER BY created_at, id';

export const createIdentityStore = (db: Database): Sync<IdentityStore> => {
  const users = createUserStore(db);
  return {
    findIdentity: (issuer, subject) => {
      const sql = 'SELECT * FROM identities WHERE issuer = ? AND subject = ?';
      const row = db.get(sql, issuer, subject) as IdentityRow | undefined;
      return row ? toEntity(row) : null;
    },
    createIdentity: (identity) => {
      insertIdentity(db, identity);
    },
    createAccount: (user, identity) => {
      users.createUser(user);
      insertIdentity(db, identity);
    },
    listIdentities: (ownerId) => (db.all(LIST_IDENTITIES, ownerId) as IdentityRow[]).map(toEntity),
    deleteIdentity: (ownerId, identityId) =>
      db.run('DELETE FROM identities WHERE id = ? AND owner_id = ?', identityId, ownerId) === 1,
    touchIdentity: (ownerId, identityId, at) => {
      db.run('UPDATE identities SET last_used_at = ? WHERE id = ? AND owner_id = ?', at.getTime(), identityId, ownerId);
    },
  };
};
