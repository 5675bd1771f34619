import { trusted } from 'mongoose';
import type { SecondFactor } from '../entities.ts';
import type { SecondFactorStore } from '../stores.ts';
import type { Collections } from './collections.ts';
import type { UserRow } from './user.model.ts';

const toEntity = ({ _id, secondFactor }: Pick<UserRow, '_id' | 'secondFactor'>): SecondFactor | null =>
  secondFactor
    ? {
        id: secondFactor.id,
        ownerId: _id,
        secret: secondFactor.secret,
        keyId: secondFactor.keyId,
        enabledAt: secondFactor.enabledAt,
        lastStep: secondFactor.lastStep,
        recoveryHashes: secondFactor.recoveryHashes,
      }
    : null;

export const createSecondFactorStore = ({ users }: Collections): SecondFactorStore => {
  const change = async (filter: object, update: object): Promise<boolean> =>
    (await users.updateOne({ ...filter, deleted: false }, update)).modifiedCount === 1;

  return {
    enableFactor: ({ ownerId, ...factor }) =>
      change(
        // What is not there is null, too.
        { _id: ownerId, secondFactor: null },
        { $set: { secondFactor: factor, updatedAt: factor.enabledAt } },
      ),

    findFactor: async (ownerId) => {
      const row = await users.findOne({ _id: ownerId, deleted: false }).select('_id secondFactor').lean();
      return row && toEntity(row);
    },

    spendStep: (ownerId, factorId, step) =>
      change(
        { _id: ownerId, 'secondFactor.id': factorId, 'secondFactor.lastStep': trusted({ $lt: step }) },
        { $set: { 'secondFactor.lastStep': step } },
      ),

    spendRecoveryCode: (ownerId, hash) =>
      change({ _id: ownerId, 'secondFactor.recoveryHashes': hash }, { $pull: { 'secondFactor.recoveryHashes': hash } }),

    disableFactor: (ownerId, at) =>
      change({ _id: ownerId, secondFactor: trusted({ $ne: null }) }, { $set: { secondFactor: null, updatedAt: at } }),

    listFactorsByKey: async (keyId, limit) => {
      const query = users.find({ 'secondFactor.keyId': keyId, deleted: false }).limit(limit);
      return (await query.select('_id secondFactor').lean()).flatMap((row) => toEntity(row) ?? []);
    },

    replaceSecret: (ownerId, from, to) =>
      change(
        { _id: ownerId, 'secondFactor.secret': from },
        { $set: { 'secondFactor.secret': to.secret, 'secondFactor.keyId': to.keyId } },
      ),
  };
};
