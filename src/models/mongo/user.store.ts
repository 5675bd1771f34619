import { trusted } from 'mongoose';
import type { Clock } from '../../lib/clock.ts';
import type { User } from '../entities.ts';
import { DuplicateKeyError, LastAdminError } from '../errors.ts';
import type { UserStore } from '../stores.ts';
import { insertRow, type Collections } from './collections.ts';
import { isRefusal } from './errors.ts';
import { beforeLast, literally } from './page.ts';
import type { Removals } from './removals.ts';
import type { UserRow } from './user.model.ts';

const toRow = ({ id, mfaEnabled: _isNew, ...user }: User): UserRow => ({
  _id: id,
  ...user,
  secondFactor: null,
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
  mfaEnabled: Boolean(row.secondFactor),
  createdAt: row.createdAt,
  updatedAt: row.updatedAt,
  lastLoginAt: row.lastLoginAt,
});

const ACTIVE_ADMIN = { role: 'admin', status: 'active', deleted: false } as const;
const isActiveAdmin = ({ role, status }: Pick<User, 'role' | 'status'>): boolean =>
  role === ACTIVE_ADMIN.role && status === ACTIVE_ADMIN.status;

/** What is left of a deleted account: nothing personal, and its unique values free again. */
const removed = (userId: string, now: Date): Partial<UserRow> => ({
  username: '',
  usernameKey: `deleted:${userId}`,
  email: `deleted:${userId}`,
  fullName: null,
  role: 'user',
  status: 'disabled',
  passwordHash: '',
  secondFactor: null,
  updatedAt: now,
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

    updatePasswordHash: async (userId, fromHash, toHash, at) => {
      const change = { $set: { passwordHash: toHash, updatedAt: at } };
      const result = await users.updateOne({ _id: userId, passwordHash: fromHash, deleted: false }, change);
      return result.modifiedCount === 1;
    },

    verifyEmail: async (userId, email, at) => {
      const change = { $set: { emailVerified: true, updatedAt: at } };
      return (await users.updateOne({ _id: userId, email, deleted: false }, change)).matchedCount === 1;
    },

    updateAccount: async (userId, changes, at) => {
      const live = { _id: userId, deleted: false };
      const before = await users.findOne(live).lean();
      if (!before) return null;
      const isLeaving = isActiveAdmin(before) && !isActiveAdmin({ ...before, ...changes });
      const others = { ...ACTIVE_ADMIN, _id: trusted({ $ne: userId }) };
      if (isLeaving && !(await users.exists(others))) throw new LastAdminError();
      const update = { $set: { ...changes, updatedAt: at } };
      const row = await users.findOneAndUpdate(live, update, { returnDocument: 'after' }).lean();
      if (isLeaving && !(await users.exists(ACTIVE_ADMIN))) {
        // The other one left at the same moment: who looks last sees that, and comes back.
        await users.updateOne(live, { $set: { role: before.role, status: before.status } });
        throw new LastAdminError();
      }
      return row && toEntity(row);
    },

    listUsers: async ({ query, role, status, after, limit }) => {
      const pattern = query === null ? null : trusted({ $regex: literally(query.toLowerCase()) });
      const filter = {
        deleted: false,
        ...(role === null ? {} : { role }),
        ...(status === null ? {} : { status }),
        $and: [beforeLast('createdAt', after), pattern ? { $or: [{ usernameKey: pattern }, { email: pattern }] } : {}],
      };
      return (await users.find(filter).sort({ createdAt: -1, _id: -1 }).limit(limit).lean()).map(toEntity);
    },

    countUsers: async () => ({
      total: await users.countDocuments({ deleted: false }),
      disabled: await users.countDocuments({ deleted: false, status: 'disabled' }),
      admins: await users.countDocuments({ deleted: false, role: 'admin' }),
    }),
  };
};
