import { trusted } from 'mongoose';
import { QuotaError, StoreUnavailableError } from '../errors.ts';
import type { QuotaUse, Reservation } from '../stores.ts';
import { checkDaily, dayOf, isDaily } from '../usageSums.ts';
import { insertMissing, RELAXED, type Collections } from './collections.ts';
import { createKeyedLock } from './keyedLock.ts';
import { UNFINISHED } from './message.model.ts';
import type { QuotaEntry, QuotaRow } from './quota.model.ts';
import { countersOfDay } from './usageDays.ts';

/** How often a reservation makes way for another node's of the same owner; each time that one got further. */
const MAX_TRIES = 100;

/** Who wants what. `chatId`: where a reply is to be stored; null: a stateless completion. */
export interface Wanted {
  readonly ownerId: string;
  readonly id: string;
  readonly chatId: string | null;
  readonly reservation: Reservation;
  readonly at: Date;
}

/** What is over of one owner's answers, by the ids of their reservations. */
export interface Over {
  readonly ended: readonly string[];
  readonly released: readonly string[];
}

/**
 * What owners have reserved, one row for each owner. A reservation reads the row, checks the limits, and writes it back if
 * nobody has in between, so that of any number at once each has seen those before it.
 */
export interface Quotas {
  /** @throws QuotaError */
  reserve(wanted: Wanted): Promise<void>;
  /** Frees the places of what has ended, and ends what is released. */
  end(ownerId: string, over: Over): Promise<void>;
  renew(nodeId: string, until: Date): Promise<void>;
  findUse(ownerId: string, at: Date): Promise<QuotaUse>;
}

type Entries = readonly QuotaEntry[];

const entryOf = ({ id, chatId, reservation }: Wanted): QuotaEntry => ({
  id,
  chatId,
  nodeId: reservation.nodeId,
  until: reservation.until,
  tokens: reservation.tokens,
  costMicroUsd: reservation.costMicroUsd,
});

/** Replies in one chat take one place together: they run one after the other. */
const placesOf = (entries: Entries): number =>
  new Set(entries.filter(({ hasEnded }) => hasEnded !== true).map(({ chatId, id }) => chatId ?? id)).size;

/** The same array where nothing of it is over. */
const without = (entries: Entries, { ended, released }: Over): Entries => {
  const isChanged = ({ id, hasEnded }: QuotaEntry): boolean =>
    released.includes(id) || (hasEnded !== true && ended.includes(id));
  if (!entries.some(isChanged)) return entries;
  return entries
    .filter(({ id }) => !released.includes(id))
    .map((entry) => (ended.includes(entry.id) ? { ...entry, hasEnded: true } : entry));
};

const reservedIn = (entries: Entries) => ({
  reservedTokens: entries.reduce((sum, { tokens }) => sum + tokens, 0),
  reservedCostMicroUsd: entries.reduce((sum, { costMicroUsd }) => sum + costMicroUsd, 0),
});

export const createQuotas = (collections: Collections): Quotas => {
  const { quotas, quotaNodes, messages } = collections;
  /** Sends of one owner to this node wait for each other here rather than in vain for the row. */
  const ofOwner = createKeyedLock();

  /** Without those whose node is dead. Only of those that were not made just now does anybody ask. */
  const live = async (entries: Entries, at: Date): Promise<Entries> => {
    const old = entries.filter(({ until }) => until <= at);
    if (old.length === 0) return entries;
    const ids = trusted({ $in: [...new Set(old.map(({ nodeId }) => nodeId))] });
    const nodes = await quotaNodes.find({ _id: ids, until: trusted({ $gt: at }) }).lean();
    const alive = new Set(nodes.map(({ _id }) => _id));
    return entries.filter(({ until, nodeId }) => until > at || alive.has(nodeId));
  };

  /** Without those whose reply has ended, and which are kept until the reply's books are written. */
  const running = async (ownerId: string, entries: Entries): Promise<Entries> => {
    const ids = entries.filter(({ chatId }) => chatId !== null).map(({ id }) => id);
    const final = trusted({ $nin: UNFINISHED });
    const rows = await messages
      .find({ _id: trusted({ $in: ids }), ownerId, status: final })
      .select('_id')
      .lean();
    const ended = new Set(rows.map(({ _id }) => _id));
    return entries.filter(({ id }) => !ended.has(id));
  };

  const checkConcurrent = async (wanted: Wanted, entries: Entries): Promise<void> => {
    const limit = wanted.reservation.limits.concurrentReplies;
    const withIt = [...entries, entryOf(wanted)];
    if (limit === 0 || placesOf(withIt) <= limit) return;
    if (placesOf(await running(wanted.ownerId, withIt)) > limit) throw new QuotaError('concurrentReplies', false);
  };

  const usedOn = async (ownerId: string, at: Date): Promise<Pick<QuotaUse, 'tokens' | 'costMicroUsd'>> => {
    const rows = await countersOfDay(collections, ownerId, dayOf(at));
    return {
      tokens: rows.reduce((sum, { totalTokens }) => sum + totalTokens, 0),
      costMicroUsd: rows.reduce((sum, { costMicroUsd }) => sum + costMicroUsd, 0),
    };
  };

  /** False when another node was faster. */
  const replace = async ({ _id, version }: QuotaRow, entries: Entries): Promise<boolean> => {
    const change = { $set: { entries }, $inc: { version: 1 } };
    return (await quotas.updateOne({ _id, version }, change, RELAXED)).modifiedCount === 1;
  };

  /** False when another node was faster. What is reserved is read before the books: a reservation ends after it is in them. */
  const tryReserve = async (wanted: Wanted): Promise<boolean> => {
    const { ownerId, reservation, at } = wanted;
    const row = await quotas.findOne({ _id: ownerId }).lean();
    const entries = without(await live(row?.entries ?? [], at), { ended: reservation.ended, released: [] });
    await checkConcurrent(wanted, entries);
    if (isDaily(reservation.limits)) {
      checkDaily(reservation.limits, { ...(await usedOn(ownerId, at)), ...reservedIn(entries) });
    }
    const withIt = [...entries, entryOf(wanted)];
    if (!row) return (await insertMissing(quotas, [{ _id: ownerId, version: 1, entries: withIt }], RELAXED)) === 1;
    return replace(row, withIt);
  };

  /** Not by `$pull`, which FerretDB knows only for whole elements. */
  const tryEnd = async (ownerId: string, over: Over): Promise<boolean> => {
    const row = await quotas.findOne({ _id: ownerId }).lean();
    if (!row) return true;
    const left = without(row.entries, over);
    return left === row.entries || replace(row, left);
  };

  const untilDone = async (attempt: () => Promise<boolean>): Promise<void> => {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) if (await attempt()) return;
    throw new StoreUnavailableError('the owner’s quotas are too busy');
  };

  return {
    reserve: (wanted) => ofOwner(wanted.ownerId, () => untilDone(() => tryReserve(wanted))),
    end: (ownerId, over) => ofOwner(ownerId, () => untilDone(() => tryEnd(ownerId, over))),
    renew: async (nodeId, until) => {
      await quotaNodes.updateOne({ _id: nodeId }, { $set: { until } }, { ...RELAXED, upsert: true });
    },
    findUse: async (ownerId, at) => {
      const row = await quotas.findOne({ _id: ownerId }).lean();
      const entries = await live(row?.entries ?? [], at);
      const busy = { ownerId, status: trusted({ $in: UNFINISHED }) };
      const chats = new Set((await messages.find(busy).select('chatId').lean()).map(({ chatId }) => chatId));
      const completions = entries.filter(({ chatId, hasEnded }) => chatId === null && hasEnded !== true).length;
      return {
        ...(await usedOn(ownerId, at)),
        ...reservedIn(entries),
        concurrentReplies: chats.size + completions,
      };
    },
  };
};
