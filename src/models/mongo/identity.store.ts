import type { Identity } from '../entities.ts';
import { DuplicateKeyError } from '../errors.ts';
import type { IdentityStore, UserStore } from '../stores.ts';
import { insertRow, RELAXED, type Collections } from './collections.ts';
import { isRefusal } from './errors.ts';
import type { IdentityRow } from './identity.model.ts';

const toRow = ({ id, ...identity }: Identity): IdentityRow => ({ _id: id, ...identity });

const toEntity = (row: IdentityRow): Identity => ({
  id: row._id,
  ownerId: row.ownerId,
  provider: row.provider,
  issuer: row.issuer,
  subject: row.subject,
  email: row.email,
  createdAt: row.createdAt,
  lastUsedAt: row.lastUsedAt,
});

export const createIdentityStore = (
  { identities, users }: Collections,
  { createUser }: Pick<UserStore, 'createUser'>,
): IdentityStore => {
  const createIdentity: IdentityStore['createIdentity'] = async (identity) => {
    try {
      await insertRow(identities, toRow(identity));
    } catch (error) {
      const { issuer, subject } = identity;
      // Asked of the data: not every server tells which index refused a write.
      const isTaken = isRefusal(error) && (await identities.exists({ issuer, subject })) !== null;
      throw isTaken ? new DuplicateKeyError('subject', { cause: error }) : error;
    }
  };

  return {
    findIdentity: async (issuer, subject) => {
      const row = await identities.findOne({ issuer, subject }).lean();
      return row && toEntity(row);
    },

    createIdentity,

    createAccount: async (user, identity) => {
      // The identity decides. A crash in between leaves an account that nobody can sign in to: one with a verified address is
      // found by it the next time.
      await createUser(user);
      await createIdentity(identity).catch(async (error: unknown) => {
        await users.deleteOne({ _id: user.id });
        throw error;
      });
    },

    listIdentities: async (ownerId) =>
      (await identities.find({ ownerId }).sort({ createdAt: 1, _id: 1 }).lean()).map(toEntity),

    deleteIdentity: async (ownerId, identityId) =>
      (await identities.deleteOne({ _id: identityId, ownerId })).deletedCount === 1,

    touchIdentity: async (ownerId, identityId, at) => {
      await identities.updateOne({ _id: identityId, ownerId }, { $set: { lastUsedAt: at } }, RELAXED);
    },
  };
};
