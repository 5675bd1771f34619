import { trusted } from 'mongoose';
import type { FailureStore } from '../stores.ts';
import { RELAXED, type Collections } from './collections.ts';
import { isDuplicateKey } from './errors.ts';

/** Counts of seconds and minutes: not worth waiting for the disk or another server. */
export const createFailureStore = ({ failures }: Pick<Collections, 'failures'>): FailureStore => ({
  readFailures: async (key, now) => {
    const row = await failures.findOne({ _id: key, expiresAt: trusted({ $gt: now }) }).lean();
    return row && { failures: row.failures, firstAt: row.firstAt, lastAt: row.lastAt };
  },

  addFailure: async (key, at, { ms, since }) => {
    const expiresAt = new Date(at.getTime() + ms);
    const counted = await failures.updateOne(
      { _id: key, expiresAt: trusted({ $gt: at }) },
      { $inc: { failures: 1 }, $set: { lastAt: at, ...(since === 'last' ? { expiresAt } : {}) } },
      RELAXED,
    );
    if (counted.matchedCount > 0) return;
    const first = { $set: { failures: 1, firstAt: at, lastAt: at, expiresAt } };
    try {
      await failures.updateOne({ _id: key }, first, { upsert: true, ...RELAXED });
    } catch (error) {
      // Another node's first one came between: the two count as one.
      if (!isDuplicateKey(error)) throw error;
    }
  },

  clearFailures: async (key) => {
    await failures.deleteOne({ _id: key }, RELAXED);
  },

  deleteFailures: async (before, limit) => {
    const expired = { expiresAt: trusted({ $lte: before }) };
    const ids = (await failures.find(expired).select('_id').limit(limit).lean()).map((row) => row._id);
    return (await failures.deleteMany({ _id: trusted({ $in: ids }), ...expired })).deletedCount;
  },
});
