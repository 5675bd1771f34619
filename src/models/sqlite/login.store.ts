import type { Login, Ticket } from '../entities.ts';
import type { LoginStore } from '../stores.ts';
import type { Database } from './database.ts';
import type { Sync } from './sync.ts';
import { before, inserter, toDate, toDateOrNull, toTime } from './table.ts';

interface LoginRow {
  readonly id: string;
  readonly owner_id: string;
  readonly device: string;
  readonly ip: string;
  readonly token_hash: string;
  readonly generation: number;
  readonly rotated_at: number;
  readonly created_at: number;
  readonly last_seen_at: number;
  readonly idle_expires_at: number;
  readonly expires_at: number;
  readonly ended_at: number | null;
}

interface TicketRow {
  readonly hash: string;
  readonly owner_id: string;
  readonly login_id: string | null;
  readonly expires_at: number;
}

const toEntity = (row: LoginRow): Login => ({
  id: row.id,
  ownerId: row.owner_id,
  device: row.device,
  ip: row.ip,
  tokenHash: row.token_hash,
  generation: row.generation,
  rotatedAt: toDate(row.rotated_at),
  createdAt: toDate(row.created_at),
  lastSeenAt: toDate(row.last_seen_at),
  idleExpiresAt: toDate(row.idle_expires_at),
  expiresAt: toDate(row.expires_at),
  endedAt: toDateOrNull(row.ended_at),
});

const insertLogin = inserter<Login>('logins', {
  id: (login) => login.id,
  owner_id: (login) => login.ownerId,
  device: (login) => login.device,
  ip: (login) => login.ip,
  token_hash: (login) => login.tokenHash,
  generation: (login) => login.generation,
  rotated_at: (login) => login.rotatedAt.getTime(),
  created_at: (login) => login.createdAt.getTime(),
  last_seen_at: (login) => login.lastSeenAt.getTime(),
  idle_expires_at: (login) => login.idleExpiresAt.getTime(),
  expires_at: (login) => login.expiresAt.getTime(),
  ended_at: (login) => toTime(login.endedAt),
});

const insertTicket = inserter<Ticket>('tickets', {
  hash: (ticket) => ticket.hash,
  owner_id: (ticket) => ticket.ownerId,
  login_id: (ticket) => ticket.loginId,
  expires_at: (ticket) => ticket.expiresAt.getTime(),
});

const ROTATE_LOGIN = `
UPDATE logins SET generation = generation + 1, token_hash = ?, rotated_at = ?, last_seen_at = ?, idle_expires_at = ?
WHERE id = ? AND generation = ? AND ended_at IS NULL`;

const END_LOGINS = `
UPDATE logins SET ended_at = ? WHERE owner_id = ? AND ended_at IS NULL AND id IS NOT ? RETURNING id`;

const DELETE_TICKETS = `
DELETE FROM tickets WHERE hash IN (SELECT hash FROM tickets WHERE expires_at < ? ORDER BY expires_at LIMIT ?)`;

/** A login expires by its idle limit or by its absolute one, whichever comes first; the index is on that expression. */
const DELETE_LOGINS = `
DELETE FROM logins WHERE id IN (
  SELECT id FROM logins WHERE min(idle_expires_at, expires_at) < ? ORDER BY min(idle_expires_at, expires_at) LIMIT ?)`;

const LIST_LOGINS = `
SELECT * FROM logins WHERE owner_id = ? AND ended_at IS NULL AND idle_expires_at > ? AND expires_at > ?
  AND (created_at, id) < (?, ?)
ORDER BY created_at DESC, id DESC LIMIT ?`;

const END_OLDEST_LOGINS = `
UPDATE logins SET ended_at = ?1 WHERE id IN (
  SELECT id FROM logins WHERE owner_id = ?2 AND ended_at IS NULL AND idle_expires_at > ?1 AND expires_at > ?1
  ORDER BY last_seen_at DESC, created_at DESC, id DESC LIMIT -1 OFFSET ?3)
RETURNING id`;

const TOUCH_LOGIN = 'UPDATE logins SET last_seen_at = ? WHERE id = ? AND last_seen_at < ?';

export const createLoginStore = (db: Database): Sync<LoginStore> => ({
  createLogin: (login) => {
    insertLogin(db, login);
  },
  findLogin: (loginId) => {
    const row = db.get('SELECT * FROM logins WHERE id = ?', loginId) as LoginRow | undefined;
    return row ? toEntity(row) : null;
  },
  rotateLogin: (loginId, fromGeneration, next) => {
    const rotatedAt = next.rotatedAt.getTime();
    const idleExpiresAt = next.idleExpiresAt.getTime();
    return db.run(ROTATE_LOGIN, next.tokenHash, rotatedAt, rotatedAt, idleExpiresAt, loginId, fromGeneration) === 1;
  },
  endLogin: (ownerId, loginId, at) =>
    db.run(
      'UPDATE logins SET ended_at = ? WHERE id = ? AND owner_id = ? AND ended_at IS NULL',
      at.getTime(),
      loginId,
      ownerId,
    ) === 1,
  endLogins: (ownerId, at, exceptLoginId) =>
    (db.all(END_LOGINS, at.getTime(), ownerId, exceptLoginId) as { id: string }[]).map((row) => row.id),
  createTicket: (ticket) => {
    insertTicket(db, ticket);
  },
  spendTicket: (hash, now) => {
    const row = db.get('DELETE FROM tickets WHERE hash = ? RETURNING *', hash) as TicketRow | undefined;
    if (!row || row.expires_at <= now.getTime()) return null;
    return { hash: row.hash, ownerId: row.owner_id, loginId: row.login_id, expiresAt: toDate(row.expires_at) };
  },
  deleteExpired: (now, limit) => {
    const tickets = db.run(DELETE_TICKETS, now.getTime(), limit);
    return tickets + db.run(DELETE_LOGINS, now.getTime(), limit - tickets);
  },
  listLogins: (ownerId, { after, limit }, now) => {
    const time = now.getTime();
    return (db.all(LIST_LOGINS, ownerId, time, time, ...before(after), limit) as LoginRow[]).map(toEntity);
  },
  endOldestLogins: (ownerId, keep, at) =>
    (db.all(END_OLDEST_LOGINS, at.getTime(), ownerId, keep) as { id: string }[]).map((row) => row.id),
  touchLogins: (seen) => {
    for (const { id, at } of seen) db.run(TOUCH_LOGIN, at.getTime(), id, at.getTime());
  },
});
