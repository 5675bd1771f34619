import { trusted } from 'mongoose';
import type { Clock } from '../../lib/clock.ts';
import type { User } from '../entities.ts';
import { DuplicateKeyError } from '../errors.ts';
import type { UserStore } from '../stores.ts';
import { insertRow, type Collections } from './collections.ts';
import { isRefusal } from './errors.ts';
import type { Removals } from './removals.ts';
import type { UserRow } from './user.model.ts';

const toRow = ({ id, ...user }: User): UserRow => ({
  _id: id,
  ...user,
  usernameKey: user.username.toLowerCase(),
  deleted: false,
  removedAt: null,
  sweepAt: null,
});

const toEntity = (row: UserRow): User => ({
  id: row._id,
  username: row.username,
  email: row.email,
  emailVerified: row.emailVerified,
  fullName: row.fullName,
  role: row.role,
  status: row.status,
  passwordHash: row.passwordHash,
  createdAt: row.createdAt,
  updatedAt: row.updatedAt,
  lastLoginAt: row.lastLoginAt,
});

/** What is left of a deleted account: nothing personal, and its unique values free again. */
const removed = (userId: string, now: Date): Partial<UserRow> => ({
  username: '',
  usernameKey: `deleted:${userId}`,
  email: `deleted:${userId}`,
  fullName: null,
  role: 'user',
  status: 'disabled',
  passwordHash: '',
  deleted: true,
  removedAt: now,
  sweepAt: now,
});

export const createUserStore = ({ users }: Collections, removals: Removals, clock: Clock): UserStore => {
  /**
   * Which value another user has. Asked of the data, since not every server tells which index refused a write, or even
   * that it was one (FerretDB).
   */
  const takenField = async (userId: string, values: Partial<UserRow>): Promise<string | null> => {
    for (const [field, key] of [
      ['username', 'usernameKey'],
      ['email', 'email'],
    ] as const) {
      const value = values[key];
      if (value === undefined) continue;
      if (await users.exists({ [key]: value, _id: trusted({ $ne: userId }) })) return field;
    }
    return null;
  };

  const namingTheField = async <T>(userId: string, values: Partial<UserRow>, write: () => Promise<T>): Promise<T> => {
    try {
      return await write();
    } catch (error) {
      const field = isRefusal(error) ? await takenField(userId, values) : null;
      throw field === null ? error : new DuplicateKeyError(field, { cause: error });
    }
  };

  return {
    createUser: async (user) => {
      const row = toRow(user);
      await namingTheField(user.id, row, () => insertRow(users, row));
    },

    findUser: async (userId) => {
      const row = await users.findOne({ _id: userId, deleted: false }).lean();
      return row && toEntity(row);
    },

    findUserByLogin: async (usernameOrEmail) => {
      const key = usernameOrEmail.toLowerCase();
      const row = await users.findOne({ $or: [{ usernameKey: key }, { email: key }], deleted: false }).lean();
      return row && toEntity(row);
    },

    updateUser: async (userId, changes, at) => {
      const key = changes.username === undefined ? {} : { usernameKey: changes.username.toLowerCase() };
      const values: Partial<UserRow> = { ...changes, ...key, updatedAt: at };
      const row = await namingTheField(userId, values, () =>
        users.findOneAndUpdate({ _id: userId, deleted: false }, { $set: values }, { returnDocument: 'after' }).lean(),
      );
      return row && toEntity(row);
    },

    deleteUser: async (userId) => {
      const user = await users
        .findOneAndUpdate(
          { _id: userId, deleted: false },
          { $set: removed(userId, new Date(clock.now())) },
          { returnDocument: 'after' },
        )
        .lean();
      if (user) await removals.finishUser(user);
      return user !== null;
    },

    hasAdmin: async () => (await users.exists({ role: 'admin', deleted: false })) !== null,
  };
};
