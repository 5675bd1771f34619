import type { MailToken } from '../entities.ts';
import type { MailTokenStore } from '../stores.ts';
import type { Database } from './database.ts';
import type { Sync } from './sync.ts';
import { inserter, toDate } from './table.ts';

interface MailTokenRow {
  readonly owner_id: string;
  readonly kind: MailToken['kind'];
  readonly hash: string;
  readonly email: string;
  readonly expires_at: number;
}

const toEntity = (row: MailTokenRow): MailToken => ({
  kind: row.kind,
  ownerId: row.owner_id,
  hash: row.hash,
  email: row.email,
  expiresAt: toDate(row.expires_at),
});

const putToken = inserter<MailToken>(
  'mail_tokens',
  {
    owner_id: (token) => token.ownerId,
    kind: (token) => token.kind,
    hash: (token) => token.hash,
    email: (token) => token.email,
    expires_at: (token) => token.expiresAt.getTime(),
  },
  `ON CONFLICT (owner_id, kind)
   DO UPDATE SET hash = excluded.hash, email = excluded.email, expires_at = excluded.expires_at`,
);

const DELETE_EXPIRED = `
DELETE FROM mail_tokens WHERE hash IN (
  SELECT hash FROM mail_tokens WHERE expires_at < ? ORDER BY expires_at LIMIT ?)`;

export const createMailTokenStore = (db: Database): Sync<MailTokenStore> => ({
  putMailToken: (token) => {
    putToken(db, token);
  },
  spendMailToken: (kind, hash, now) => {
    const sql = 'DELETE FROM mail_tokens WHERE hash = ? AND kind = ? RETURNING *';
    const row = db.get(sql, hash, kind) as MailTokenRow | undefined;
    return row && row.expires_at > now.getTime() ? toEntity(row) : null;
  },
  dropMailToken: (ownerId, kind) => {
    db.run('DELETE FROM mail_tokens WHERE owner_id = ? AND kind = ?', ownerId, kind);
  },
  deleteMailTokens: (time, limit) => db.run(DELETE_EXPIRED, time.getTime(), limit),
});
