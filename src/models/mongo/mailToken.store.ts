import { trusted } from 'mongoose';
import type { MailToken } from '../entities.ts';
import type { MailTokenStore } from '../stores.ts';
import type { Collections } from './collections.ts';
import { isRefusal } from './errors.ts';
import type { MailTokenRow } from './mailToken.model.ts';

const idOf = ({ ownerId, kind }: Pick<MailToken, 'ownerId' | 'kind'>): string => `${ownerId}:${kind}`;

const toEntity = (row: MailTokenRow): MailToken => ({
  kind: row.kind,
  ownerId: row.ownerId,
  hash: row.hash,
  email: row.email,
  expiresAt: row.expiresAt,
});

export const createMailTokenStore = ({ mailTokens }: Collections): MailTokenStore => {
  const put = async (token: MailToken): Promise<void> => {
    await mailTokens.updateOne({ _id: idOf(token) }, { $set: token }, { upsert: true });
  };

  return {
    putMailToken: (token) =>
      put(token).catch((error: unknown) => {
        // Two upserts that both found nothing; the second time there is something. Not every server says that it was this.
        if (isRefusal(error)) return put(token);
        throw error;
      }),

    spendMailToken: async (kind, hash, now) => {
      const row = await mailTokens.findOneAndDelete({ hash, kind }).lean();
      return row && row.expiresAt > now ? toEntity(row) : null;
    },

    dropMailToken: async (ownerId, kind) => {
      await mailTokens.deleteOne({ _id: idOf({ ownerId, kind }) });
    },

    deleteMailTokens: async (time, limit) => {
      const expired = { expiresAt: trusted({ $lt: time }) };
      const ids = (await mailTokens.find(expired).select('_id').limit(limit).lean()).map((row) => row._id);
      return (await mailTokens.deleteMany({ _id: trusted({ $in: ids }), ...expired })).deletedCount;
    },
  };
};
