import type { User } from '../entities.ts';
import { LastAdminError } from '../errors.ts';
import type { UserCounts, UserStore } from '../stores.ts';
import type { Database } from './database.ts';
import type { Sync } from './sync.ts';
import { before, inserter, toDate, toDateOrNull, toTime } from './table.ts';

interface UserRow {
  readonly id: string;
  readonly username: string;
  readonly email: string;
  readonly email_verified: number;
  readonly full_name: string | null;
  readonly role: User['role'];
  readonly status: User['status'];
  readonly password_hash: string;
  readonly created_at: number;
  readonly updated_at: number;
  readonly last_login_at: number | null;
  readonly second_factor: string | null;
}

const toUser = (row: UserRow): User => ({
  id: row.id,
  username: row.username,
  email: row.email,
  emailVerified: row.email_verified === 1,
  fullName: row.full_name,
  role: row.role,
  status: row.status,
  passwordHash: row.password_hash,
  mfaEnabled: row.second_factor !== null,
  createdAt: toDate(row.created_at),
  updatedAt: toDate(row.updated_at),
  lastLoginAt: toDateOrNull(row.last_login_at),
});

const toEntity = (row: UserRow | undefined): User | null => (row ? toUser(row) : null);

const insertUser = inserter<User>('users', {
  id: (user) => user.id,
  username: (user) => user.username,
  username_key: (user) => user.username.toLowerCase(),
  email: (user) => user.email,
  email_verified: (user) => Number(user.emailVerified),
  full_name: (user) => user.fullName,
  role: (user) => user.role,
  status: (user) => user.status,
  password_hash: (user) => user.passwordHash,
  created_at: (user) => user.createdAt.getTime(),
  updated_at: (user) => user.updatedAt.getTime(),
  last_login_at: (user) => toTime(user.lastLoginAt),
});

const UPDATE_USER = `
UPDATE users SET username = ?, username_key = ?, email = ?, email_verified = ?, full_name = ?, role = ?, status = ?,
  password_hash = ?, last_login_at = ?, updated_at = ? WHERE id = ?`;

/**
 * Everything that names its owner, and last the account; messages and their logs go with their chats, and the tombstones
 * that those leave go after them.
 */
const DELETE_OWNED = [
  'turns',
  'tickets',
  'logins',
  'api_keys',
  'mail_tokens',
  'identities',
  'usage',
  'usage_days',
  'quota_reservations',
  'chats',
  'tombstones',
].map((table) => `DELETE FROM ${table} WHERE owner_id = ?`);

/** What happened stays on record, but not from where the account's owner did it. */
const FORGET_WHERE = `
UPDATE audit SET ip = '', device = ''
WHERE (actor_id = ?1 OR (owner_id = ?1 AND actor_id IS NULL)) AND (ip <> '' OR device <> '')`;

const OTHER_ADMIN = `SELECT 1 FROM users WHERE role = 'admin' AND status = 'active' AND id <> ? LIMIT 1`;

const isActiveAdmin = ({ role, status }: User): boolean => role === 'admin' && status === 'active';

const LIST_USERS = `
SELECT * FROM users
WHERE (?1 IS NULL OR instr(username_key, ?1) > 0 OR instr(email, ?1) > 0)
  AND (?2 IS NULL OR role = ?2) AND (?3 IS NULL OR status = ?3) AND (created_at, id) < (?4, ?5)
ORDER BY created_at DESC, id DESC LIMIT ?6`;

const VERIFY_EMAIL = 'UPDATE users SET email_verified = 1, updated_at = ? WHERE id = ? AND email = ?';

const COUNT_USERS = `
SELECT count(*) AS total, count(*) FILTER (WHERE status = 'disabled') AS disabled,
  count(*) FILTER (WHERE role = 'admin') AS admins FROM users`;

export const createUserStore = (db: Database): Sync<UserStore> => {
  const findUser = (userId: string): User | null =>
    toEntity(db.get('SELECT * FROM users WHERE id = ?', userId) as UserRow | undefined);

  const updateUser: Sync<UserStore>['updateUser'] = (userId, changes, at) => {
    const stored = findUser(userId);
    if (!stored) return null;
    const user: User = { ...stored, ...changes, updatedAt: at };
    db.run(
      UPDATE_USER,
      user.username,
      user.username.toLowerCase(),
      user.email,
      Number(user.emailVerified),
      user.fullName,
      user.role,
      user.status,
      user.passwordHash,
      toTime(user.lastLoginAt),
      at.getTime(),
      userId,
    );
    return user;
  };

  return {
    createUser: (user) => {
      insertUser(db, user);
    },
    findUser,
    findUserByLogin: (usernameOrEmail) => {
      const key = usernameOrEmail.toLowerCase();
      return toEntity(
        db.get('SELECT * FROM users WHERE username_key = ? OR email = ?', key, key) as UserRow | undefined,
      );
    },
    updateUser,
    deleteUser: (userId) => {
      for (const sql of DELETE_OWNED) db.run(sql, userId);
      db.run(FORGET_WHERE, userId);
      return db.run('DELETE FROM users WHERE id = ?', userId) === 1;
    },
    hasAdmin: () => db.get(`SELECT 1 FROM users WHERE role = 'admin' LIMIT 1`) !== undefined,
    updatePasswordHash: (userId, fromHash, toHash, at) =>
      db.run(
        'UPDATE users SET password_hash = ?, updated_at = ? WHERE id = ? AND password_hash = ?',
        toHash,
        at.getTime(),
        userId,
        fromHash,
      ) === 1,
    verifyEmail: (userId, email, at) => db.run(VERIFY_EMAIL, at.getTime(), userId, email) === 1,
    updateAccount: (userId, changes, at) => {
      const user = findUser(userId);
      if (!user) return null;
      const isLeaving = isActiveAdmin(user) && !isActiveAdmin({ ...user, ...changes });
      if (isLeaving && db.get(OTHER_ADMIN, userId) === undefined) throw new LastAdminError();
      return updateUser(userId, changes, at);
    },
    listUsers: ({ query, role, status, after, limit }) => {
      const rows = db.all(LIST_USERS, query?.toLowerCase() ?? null, role, status, ...before(after), limit);
      return (rows as UserRow[]).map(toUser);
    },
    countUsers: () => ({ ...(db.get(COUNT_USERS) as UserCounts) }),
  };
};
