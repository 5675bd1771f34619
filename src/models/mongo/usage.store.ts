import { trusted } from 'mongoose';
import type { UsageDay, UsageRecord } from '../entities.ts';
import type { ReservationKey, UsageBatch, UsageStore } from '../stores.ts';
import { insertMissing, RELAXED, type Collections } from './collections.ts';
import type { Over, Quotas } from './quotas.ts';
import type { UsageBatchRow } from './usageBatch.model.ts';
import type { UsageDayRow } from './usageDay.model.ts';
import { createBatchCommit } from './usageDays.ts';
import type { UsageRow } from './usage.model.ts';

const DAY_MS = 86_400_000;

const toRow = ({ id, ...record }: UsageRecord): UsageRow => ({ _id: id, ...record });

const toRecord = ({ _id, ...row }: UsageRow): UsageRecord => ({ id: _id, ...row });

const toDay = ({ _id, ownerId: _ownerId, applied: _applied, ...day }: UsageDayRow): UsageDay => day;

const toBatchRow = ({ nodeId, number, records }: UsageBatch): UsageBatchRow => ({
  _id: `${nodeId}:${String(number)}`,
  nodeId,
  number,
  records: records.map(toRow),
});

const idsByOwner = (keys: readonly ReservationKey[]): ReadonlyMap<string, readonly ReservationKey[]> =>
  Map.groupBy(keys, ({ ownerId }) => ownerId);

/** One write for each owner. */
const byOwner = (batch: UsageBatch): readonly (readonly [ownerId: string, over: Over])[] => {
  const [ended, released] = [idsByOwner(batch.ended), idsByOwner(batch.released)];
  const idsOf = (keys: typeof ended, owner: string): string[] => (keys.get(owner) ?? []).map(({ id }) => id);
  return [...new Set([...ended.keys(), ...released.keys()])].map((owner) => [
    owner,
    { ended: idsOf(ended, owner), released: idsOf(released, owner) },
  ]);
};

/**
 * A batch is stored when its row in `usageBatches` is; what follows from it is `createBatchCommit`'s, which repair does too.
 */
export const createUsageStore = (collections: Collections, quotas: Quotas): UsageStore => {
  const { usage, usageDays, usageBatches } = collections;
  const complete = createBatchCommit(collections);

  return {
    reserve: (ownerId, id, reservation, at) => quotas.reserve({ ownerId, id, chatId: null, reservation, at }),
    renewReservations: (nodeId, until) => quotas.renew(nodeId, until),
    appendUsage: async (batch) => {
      if (batch.records.length > 0) {
        const row = toBatchRow(batch);
        await insertMissing(usageBatches, [row], RELAXED);
        await complete(row);
      }
      for (const [ownerId, over] of byOwner(batch)) await quotas.end(ownerId, over);
    },
    findQuotaUse: (ownerId, at) => quotas.findUse(ownerId, at),
    listUsageDays: async (ownerId, from, to) => {
      // ';' is the sign after the ':' that every key has behind its day.
      const days = trusted({ $gte: `${ownerId}:${from}:`, $lt: `${ownerId}:${to};` });
      const rows = await usageDays.find({ _id: days }).sort({ _id: 1 }).lean<UsageDayRow[]>();
      return rows.map(toDay);
    },
    listUsage: async (ownerId, { from, to, after, limit }) => {
      const behind = after
        ? { $or: [{ at: trusted({ $lt: after.at }) }, { at: after.at, _id: trusted({ $lt: after.id }) }] }
        : {};
      const rows = await usage
        .find({ ownerId, at: trusted({ $gte: from, $lt: to }), ...behind })
        .sort({ at: -1, _id: -1 })
        .limit(limit)
        .lean<UsageRow[]>();
      return rows.map(toRecord);
    },
    findUsageOfDay: async (day) => {
      const total = { tokens: 0, costMicroUsd: 0 };
      for await (const row of usageDays.find({ day }).select('totalTokens costMicroUsd').lean<UsageDayRow>().cursor()) {
        total.tokens += row.totalTokens;
        total.costMicroUsd += row.costMicroUsd;
      }
      return total;
    },
    deleteUsage: async (day, limit) => {
      const old = await usageDays
        .find({ day: trusted({ $lt: day }) })
        .sort({ day: 1 })
        .limit(limit)
        .lean<UsageDayRow[]>();
      for (const row of old) {
        const from = Date.parse(row.day);
        const at = trusted({ $gte: new Date(from), $lt: new Date(from + DAY_MS) });
        await usage.deleteMany({ ownerId: row.ownerId, at, model: row.model });
        await usageDays.deleteOne({ _id: row._id });
      }
      return old.length;
    },
  };
};
