import { trusted, type Model } from 'mongoose';
import type { Clock } from '../../lib/clock.ts';
import { StoreUnavailableError } from '../errors.ts';
import type { ChangeRef, ChangeSetRow } from './changeSet.model.ts';
import { insertRow, RELAXED, type Collections } from './collections.ts';
import { isDuplicateKey } from './errors.ts';

/**
 * In which order things changed, for readers that come back. MongoDB has no transactions everywhere, so a number taken
 * before a write may become visible after a higher one, and a time stamped on it may lie behind any reader's. Therefore
 * no writer numbers anything: in the same write that changes a row it marks the row as `unlisted`, and the order is made by
 * readers. Who asks what changed (1) reads the owner's unlisted rows, (2) adds a set with their ids to the end of the
 * owner's chain, (3) takes the mark from those whose `rev` is still the one it read, and (4) reads the chain from its position.
 *
 * Nothing is missed, by no clock:
 * - A row is marked, or a set behind its newest change names it: the mark goes only after such a set is there, and only from
 *   the `rev` that was read before.
 * - A set can only be added behind the last one, since each names the set before it in its key. So what is added
 *   after a reader saw the end of the chain is behind the reader's position, whoever adds it and however late.
 * - A reader gets the rows as they are after it read the chain. A change that it does not see is then marked, or named by a
 *   set that came later.
 *
 * What is told is majority-committed: a failover takes nothing back that was read here. It rests on one assumption: a write
 * that a node has sent reaches the database within a month or never, since sets are kept for so long.
 */
export interface ChangeSets {
  /** The number of the last set that no failover takes back; 0 when there is none. */
  last(ownerId: string): Promise<number>;
  /** Lists rows that are not listed. Returns the set, and the number of the one before it. */
  add(ownerId: string, rows: UnlistedRows): Promise<{ number: number; previous: number }>;
  /** The next sets behind a number, in order. */
  behind(ownerId: string, number: number, limit: number): Promise<ChangeSetRow[]>;
}

/** Rows of one owner as they were read. */
export interface UnlistedRows {
  readonly chats: readonly Required<ListedRow>[];
  readonly messages: readonly Required<ListedRow>[];
  readonly tombstones: readonly ListedRow[];
}

interface ListedRow {
  readonly _id: string;
  /** Tombstones have none: they never change. */
  readonly rev?: number;
}

/** How often a reader makes way for another one of the same account; each time that one got further. */
const MAX_TRIES = 100;

const keyOf = (ownerId: string, previous: number): string => `${ownerId}:${String(previous)}`;

const refsOf = ({ chats, messages, tombstones }: UnlistedRows): ChangeRef[] => [
  ...tombstones.map(({ _id: id }): ChangeRef => ({ kind: 'tombstone', id })),
  ...chats.map(({ _id: id }): ChangeRef => ({ kind: 'chat', id })),
  ...messages.map(({ _id: id }): ChangeRef => ({ kind: 'message', id })),
];

/** Takes the mark from rows that are still as they were read. If it fails halfway, some rows are listed again. */
const unmark = async <Row>(model: Model<Row>, ownerId: string, rows: readonly ListedRow[]): Promise<void> => {
  if (rows.length === 0) return;
  // Few revisions occur often, so these are few updates.
  const byRev = Map.groupBy(rows, ({ rev }) => rev);
  const updates = [...byRev].map(([rev, same]) => ({
    updateMany: {
      filter: { _id: trusted({ $in: same.map(({ _id }) => _id) }), ownerId, ...(rev === undefined ? {} : { rev }) },
      update: { $set: { unlisted: false } },
    },
  }));
  await model.bulkWrite(updates, { ordered: false, ...RELAXED });
};

export const createChangeSets = (collections: Collections, clock: Clock): ChangeSets => {
  const { changeSets, chats, messages, tombstones } = collections;

  const lastOf = async (ownerId: string, level: 'majority' | 'local'): Promise<number> => {
    const newest = changeSets.findOne({ ownerId }).sort({ number: -1 }).select('number').readConcern(level);
    return (await newest.lean())?.number ?? 0;
  };

  /** Null: another reader's set came first. */
  const tryAppend = async (ownerId: string, refs: readonly ChangeRef[]) => {
    // The very last, or two readers would wait for a slow secondary: what comes behind it is never kept without it.
    const previous = await lastOf(ownerId, 'local');
    // Above every number ever given, although sets are forgotten: the time is, and the chain goes on from its end.
    const number = Math.max(previous + 1, clock.now());
    try {
      const at = new Date(clock.now());
      await insertRow(changeSets, { _id: keyOf(ownerId, previous), ownerId, number, refs, at });
      return { number, previous };
    } catch (error) {
      if (isDuplicateKey(error)) return null;
      throw error;
    }
  };

  return {
    last: (ownerId) => lastOf(ownerId, 'majority'),
    add: async (ownerId, rows) => {
      for (let tries = 0; tries < MAX_TRIES; tries += 1) {
        const added = await tryAppend(ownerId, refsOf(rows));
        if (!added) continue;
        await unmark(chats, ownerId, rows.chats);
        await unmark(messages, ownerId, rows.messages);
        await unmark(tombstones, ownerId, rows.tombstones);
        return added;
      }
      throw new StoreUnavailableError('too many devices of the account catch up at once');
    },
    behind: (ownerId, number, limit) =>
      changeSets
        .find({ ownerId, number: trusted({ $gt: number }) })
        .sort({ number: 1 })
        .limit(limit)
        .readConcern('majority')
        .lean(),
  };
};
