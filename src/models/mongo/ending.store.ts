import { trusted } from 'mongoose';
import type { EndingStore } from '../stores.ts';
import type { Collections } from './collections.ts';

/** What ended, found by when it did: an index each, and rows of the last seconds only. */
export const createEndingStore = ({ logins, apiKeys, users }: Collections): EndingStore => ({
  readEndings: async (since) => {
    const later = trusted({ $gte: since });
    const [endedLogins, revokedKeys, changedUsers] = await Promise.all([
      logins.find({ endedAt: later }).select('_id ownerId endedAt').lean(),
      apiKeys.find({ revokedAt: later }).select('_id ownerId revokedAt').lean(),
      users.find({ updatedAt: later }).select('_id status deleted updatedAt').lean(),
    ]);
    return {
      logins: endedLogins.map(({ _id, ownerId, endedAt }) => ({ loginId: _id, ownerId, at: endedAt ?? since })),
      keys: revokedKeys.map(({ _id, ownerId, revokedAt }) => ({ keyId: _id, ownerId, at: revokedAt ?? since })),
      accounts: changedUsers.map(({ _id, status, deleted, updatedAt }) => ({
        ownerId: _id,
        isOver: deleted || status !== 'active',
        at: updatedAt,
      })),
    };
  },
});
