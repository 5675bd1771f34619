import { trusted } from 'mongoose';
import { addSums, NO_SUMS, type UsageSums } from '../entities.ts';
import { dayOf, sumsOf } from '../usageSums.ts';
import { insertMissing, RELAXED, type Collections } from './collections.ts';
import type { UsageBatchRow } from './usageBatch.model.ts';
import type { UsageDayRow } from './usageDay.model.ts';
import type { UsageRow } from './usage.model.ts';

/** Keys that begin with a prefix ending in ':'; ';' is the sign after it. */
const beginningWith = (prefix: string) => ({ _id: trusted({ $gte: prefix, $lt: `${prefix.slice(0, -1)};` }) });

/** The filter for all counters of an owner. */
export const countersOfOwner = (ownerId: string) => beginningWith(`${ownerId}:`);

export const countersOfDay = ({ usageDays }: Collections, ownerId: string, day: string): Promise<UsageDayRow[]> =>
  usageDays.find(beginningWith(`${ownerId}:${day}:`)).lean<UsageDayRow[]>();

type DayKey = Pick<UsageDayRow, '_id' | 'ownerId' | 'day' | 'model'>;

const keyOf = ({ ownerId, at, model }: UsageRow): DayKey => {
  const day = dayOf(at);
  return { _id: `${ownerId}:${day}:${model}`, ownerId, day, model };
};

const sumsByDay = (records: readonly UsageRow[]): ReadonlyMap<string, { key: DayKey; sums: UsageSums }> => {
  const days = new Map<string, { key: DayKey; sums: UsageSums }>();
  for (const record of records) {
    const key = keyOf(record);
    const sums = addSums(days.get(key._id)?.sums ?? NO_SUMS, sumsOf({ ...record, id: record._id }));
    days.set(key._id, { key, sums });
  }
  return days;
};

/**
 * Writes what follows from a batch: its records, then the counters, then it goes. Each step does nothing when it was done
 * before: a record that is there stays, and a counter knows the last batch of each node that it was given. So after a crash,
 * or before it, anyone may do it again.
 */
export const createBatchCommit = ({ usage, usageDays, usageBatches }: Collections) => {
  const count = async ({ nodeId, number }: UsageBatchRow, key: DayKey, sums: UsageSums): Promise<void> => {
    const applied = `applied.${nodeId}`;
    const add = async (): Promise<boolean> => {
      const isNew = { _id: key._id, [applied]: trusted({ $not: { $gte: number } }) };
      const result = await usageDays.updateOne(isNew, { $inc: sums, $set: { [applied]: number } }, RELAXED);
      return result.modifiedCount === 1;
    };
    if (await add()) return;
    const first = { ...key, ...sums, applied: { [nodeId]: number } };
    const isMade = (await insertMissing(usageDays, [first], RELAXED)) === 1;
    // There is one: either it has the batch, or another node has just made it.
    if (!isMade) await add();
  };

  return async (batch: UsageBatchRow): Promise<void> => {
    await insertMissing(usage, batch.records, RELAXED);
    await Promise.all([...sumsByDay(batch.records).values()].map(({ key, sums }) => count(batch, key, sums)));
    await usageBatches.deleteOne({ _id: batch._id });
  };
};
