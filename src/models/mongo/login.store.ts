import { trusted, type QueryFilter } from 'mongoose';
import type { Login } from '../entities.ts';
import type { LoginStore } from '../stores.ts';
import { insertRow, RELAXED, type Collections } from './collections.ts';
import type { CarryOut, Intents } from './intents.ts';
import type { LoginRow } from './login.model.ts';
import { beforeLast } from './page.ts';

const toRow = ({ id, ...login }: Login): LoginRow => ({ _id: id, ...login, endedBy: null });

const toEntity = (row: LoginRow): Login => ({
  id: row._id,
  ownerId: row.ownerId,
  device: row.device,
  ip: row.ip,
  tokenHash: row.tokenHash,
  generation: row.generation,
  rotatedAt: row.rotatedAt,
  createdAt: row.createdAt,
  lastSeenAt: row.lastSeenAt,
  idleExpiresAt: row.idleExpiresAt,
  expiresAt: row.expiresAt,
  endedAt: row.endedAt,
});

/** Ends the logins of an intent that are live; they remember it, so that each is returned by one call only. */
export const endingLogins =
  ({ logins }: Pick<Collections, 'logins'>): CarryOut =>
  async ({ _id, ownerId, targetIds, at }) => {
    const live = { _id: trusted({ $in: targetIds }), ownerId, endedAt: null };
    await logins.updateMany(live, { $set: { endedAt: at, endedBy: _id } });
  };

export const createLoginStore = (collections: Collections, intents: Intents): LoginStore => {
  const { logins, tickets } = collections;
  const carryOut = endingLogins(collections);

  const idsOf = async (filter: QueryFilter<LoginRow>): Promise<string[]> =>
    (await logins.find(filter).select('_id').lean()).map((row) => row._id);

  const endMany = async (ownerId: string, targetIds: readonly string[], at: Date): Promise<string[]> => {
    if (targetIds.length === 0) return [];
    const intent = await intents.perform({ kind: 'endLogins', ownerId, targetIds, at }, carryOut);
    return idsOf({ ownerId, endedAt: at, endedBy: intent._id });
  };

  const liveAt = (ownerId: string, now: Date) => {
    const later = trusted({ $gt: now });
    return { ownerId, endedAt: null, idleExpiresAt: later, expiresAt: later };
  };

  return {
    createLogin: async (login) => {
      await insertRow(logins, toRow(login));
    },

    findLogin: async (loginId) => {
      const row = await logins.findOne({ _id: loginId }).lean();
      return row && toEntity(row);
    },

    rotateLogin: async (loginId, fromGeneration, next) => {
      const result = await logins.updateOne(
        { _id: loginId, generation: fromGeneration, endedAt: null },
        { $set: { ...next, lastSeenAt: next.rotatedAt, generation: fromGeneration + 1 } },
      );
      return result.modifiedCount === 1;
    },

    endLogin: async (ownerId, loginId, at) => {
      const result = await logins.updateOne({ _id: loginId, ownerId, endedAt: null }, { $set: { endedAt: at } });
      return result.modifiedCount === 1;
    },

    endLogins: async (ownerId, at, exceptLoginId) => {
      const others = exceptLoginId === null ? {} : { _id: trusted({ $ne: exceptLoginId }) };
      return endMany(ownerId, await idsOf({ ownerId, endedAt: null, ...others }), at);
    },

    createTicket: async ({ hash, ...ticket }) => {
      await insertRow(tickets, { _id: hash, ...ticket });
    },

    spendTicket: async (hash, now) => {
      const row = await tickets.findOneAndDelete({ _id: hash }).lean();
      if (!row || row.expiresAt <= now) return null;
      return { hash: row._id, ownerId: row.ownerId, loginId: row.loginId, expiresAt: row.expiresAt };
    },

    deleteExpired: async (now, limit) => {
      const before = trusted({ $lt: now });
      const expiredTickets = await tickets.find({ expiresAt: before }).select('_id').limit(limit).lean();
      const ticketIds = expiredTickets.map((row) => row._id);
      const { deletedCount } = await tickets.deleteMany({ _id: trusted({ $in: ticketIds }) });
      const rest = limit - ticketIds.length;
      // A limit of 0 means «all» to MongoDB.
      if (rest <= 0) return deletedCount;
      const expired = { $or: [{ expiresAt: before }, { idleExpiresAt: before }] };
      const loginIds = (await logins.find(expired).select('_id').limit(rest).lean()).map((row) => row._id);
      return deletedCount + (await logins.deleteMany({ _id: trusted({ $in: loginIds }), ...expired })).deletedCount;
    },

    listLogins: async (ownerId, { after, limit }, now) => {
      const filter = { ...liveAt(ownerId, now), ...beforeLast('createdAt', after) };
      return (await logins.find(filter).sort({ createdAt: -1, _id: -1 }).limit(limit).lean()).map(toEntity);
    },

    endOldestLogins: async (ownerId, keep, at) => {
      const live = logins.find(liveAt(ownerId, at)).sort({ lastSeenAt: -1, createdAt: -1, _id: -1 });
      const oldest = await live.skip(keep).select('_id').lean();
      return endMany(
        ownerId,
        oldest.map((row) => row._id),
        at,
      );
    },

    touchLogins: async (seen) => {
      for (const { id, at } of seen) {
        await logins.updateOne({ _id: id, lastSeenAt: trusted({ $lt: at }) }, { $set: { lastSeenAt: at } }, RELAXED);
      }
    },
  };
};
