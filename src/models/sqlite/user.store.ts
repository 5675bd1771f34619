import type { User } from '../entities.ts';
import type { UserStore } from '../stores.ts';
import type { Database } from './database.ts';
import type { Sync } from './sync.ts';
import { inserter, toDate, toDateOrNull, toTime } from './table.ts';

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
}

const toEntity = (row: UserRow | undefined): User | null =>
  row
    ? {
        id: row.id,
        username: row.username,
        email: row.email,
        emailVerified: row.email_verified === 1,
        fullName: row.full_name,
        role: row.role,
        status: row.status,
        passwordHash: row.password_hash,
        createdAt: toDate(row.created_at),
        updatedAt: toDate(row.updated_at),
        lastLoginAt: toDateOrNull(row.last_login_at),
      }
    : null;

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
const DELETE_OWNED = ['turns', 'tickets', 'logins', 'chats', 'tombstones'].map(
  (table) => `DELETE FROM ${table} WHERE owner_id = ?`,
);

export const createUserStore = (db: Database): Sync<UserStore> => {
  const findUser = (userId: string): User | null =>
    toEntity(db.get('SELECT * FROM users WHERE id = ?', userId) as UserRow | undefined);

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
    updateUser: (userId, changes, at) => {
      const before = findUser(userId);
      if (!before) return null;
      const user: User = { ...before, ...changes, updatedAt: at };
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
    },
    deleteUser: (userId) => {
      for (const sql of DELETE_OWNED) db.run(sql, userId);
      return db.run('DELETE FROM users WHERE id = ?', userId) === 1;
    },
    hasAdmin: () => db.get(`SELECT 1 FROM users WHERE role = 'admin' LIMIT 1`) !== undefined,
  };
};
