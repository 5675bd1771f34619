import { trusted, type QueryFilter } from 'mongoose';
import type { ApiKey } from '../entities.ts';
import type { ApiKeyStore } from '../stores.ts';
import type { ApiKeyRow } from './apiKey.model.ts';
import { insertRow, RELAXED, type Collections } from './collections.ts';
import type { CarryOut, Intents } from './intents.ts';
import { beforeLast } from './page.ts';

const toRow = ({ id, ...key }: ApiKey): ApiKeyRow => ({ _id: id, ...key, scopes: [...key.scopes], revokedBy: null });

const toEntity = (row: ApiKeyRow): ApiKey => ({
  id: row._id,
  ownerId: row.ownerId,
  name: row.name,
  hash: row.hash,
  prefix: row.prefix,
  scopes: row.scopes,
  createdAt: row.createdAt,
  expiresAt: row.expiresAt,
  lastUsedAt: row.lastUsedAt,
  revokedAt: row.revokedAt,
});

/** Revokes the keys of an intent that are good; they remember it, so that each is returned by one call only. */
export const revokingKeys =
  ({ apiKeys }: Pick<Collections, 'apiKeys'>): CarryOut =>
  async ({ _id, ownerId, targetIds, at }) => {
    const good = { _id: trusted({ $in: targetIds }), ownerId, revokedAt: null };
    await apiKeys.updateMany(good, { $set: { revokedAt: at, revokedBy: _id } });
  };

export const createApiKeyStore = (collections: Collections, intents: Intents): ApiKeyStore => {
  const { apiKeys } = collections;
  const carryOut = revokingKeys(collections);

  const idsOf = async (filter: QueryFilter<ApiKeyRow>): Promise<string[]> =>
    (await apiKeys.find(filter).select('_id').lean()).map((row) => row._id);

  return {
    createKey: async (key, max) => {
      const good = { ownerId: key.ownerId, revokedAt: null };
      if ((await apiKeys.countDocuments(good)) >= max) return false;
      await insertRow(apiKeys, toRow(key));
      // Of those that got past the first count together, whoever counts last sees all of them.
      if ((await apiKeys.countDocuments(good)) <= max) return true;
      await apiKeys.deleteOne({ _id: key.id, ownerId: key.ownerId });
      return false;
    },

    findKeyByHash: async (hash) => {
      const row = await apiKeys.findOne({ hash }).lean();
      return row && toEntity(row);
    },

    listKeys: async (ownerId, { after, limit }) => {
      const filter = { ownerId, revokedAt: null, ...beforeLast('createdAt', after) };
      return (await apiKeys.find(filter).sort({ createdAt: -1, _id: -1 }).limit(limit).lean()).map(toEntity);
    },

    revokeKey: async (ownerId, keyId, at) => {
      const result = await apiKeys.updateOne({ _id: keyId, ownerId, revokedAt: null }, { $set: { revokedAt: at } });
      return result.modifiedCount === 1;
    },

    revokeKeys: async (ownerId, at) => {
      const targetIds = await idsOf({ ownerId, revokedAt: null });
      if (targetIds.length === 0) return [];
      const intent = await intents.perform({ kind: 'revokeKeys', ownerId, targetIds, at }, carryOut);
      return idsOf({ ownerId, revokedAt: at, revokedBy: intent._id });
    },

    touchKeys: async (seen) => {
      for (const { id, at } of seen) {
        const older = { $or: [{ lastUsedAt: null }, { lastUsedAt: trusted({ $lt: at }) }] };
        await apiKeys.updateOne({ _id: id, ...older }, { $set: { lastUsedAt: at } }, RELAXED);
      }
    },

    deleteEndedKeys: async (time, limit) => {
      const before = trusted({ $lt: time });
      const ended = { $or: [{ revokedAt: before }, { revokedAt: null, expiresAt: before }] };
      const ids = (await apiKeys.find(ended).select('_id').limit(limit).lean()).map((row) => row._id);
      return (await apiKeys.deleteMany({ _id: trusted({ $in: ids }), ...ended })).deletedCount;
    },
  };
};
