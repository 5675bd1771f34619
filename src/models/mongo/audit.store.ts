import { trusted, type QueryFilter } from 'mongoose';
import type { AuditEvent } from '../entities.ts';
import type { AuditFilter, AuditStore } from '../stores.ts';
import type { AuditRow } from './audit.model.ts';
import { insertMissing, type Collections } from './collections.ts';
import { beforeLast } from './page.ts';

const toRow = ({ id, ...event }: AuditEvent): AuditRow => ({ _id: id, ...event });

const toEntity = (row: AuditRow): AuditEvent => ({
  id: row._id,
  at: row.at,
  action: row.action,
  outcome: row.outcome,
  actorId: row.actorId,
  ownerId: row.ownerId,
  targetId: row.targetId,
  ip: row.ip,
  device: row.device,
  requestId: row.requestId,
  details: row.details,
});

const toFilter = ({ actorId, ownerId, actions, from, to }: AuditFilter): QueryFilter<AuditRow> => ({
  ...(actorId === null ? {} : { actorId }),
  ...(ownerId === null ? {} : { ownerId }),
  ...(actions.length === 0 ? {} : { action: trusted({ $in: [...actions] }) }),
  ...(from === null && to === null
    ? {}
    : { at: trusted({ ...(from === null ? {} : { $gte: from }), ...(to === null ? {} : { $lt: to }) }) }),
});

/** What stays of where a deleted account's owner did things: nothing. */
export const forgetWhere = async ({ audit }: Pick<Collections, 'audit'>, userId: string): Promise<void> => {
  const own = { $or: [{ actorId: userId }, { ownerId: userId, actorId: null }] };
  await audit.updateMany(own, { $set: { ip: '', device: '' } });
};

export const createAuditStore = ({ audit }: Collections): AuditStore => ({
  appendEvents: async (events) => {
    await insertMissing(audit, events.map(toRow));
  },

  listEvents: async (filter, { after, limit }) => {
    const rows = audit.find({ $and: [toFilter(filter), beforeLast('at', after)] });
    return (await rows.sort({ at: -1, _id: -1 }).limit(limit).lean()).map(toEntity);
  },

  deleteEvents: async (time, limit) => {
    const old = { at: trusted({ $lt: time }) };
    const ids = (await audit.find(old).sort({ at: 1 }).select('_id').limit(limit).lean()).map((row) => row._id);
    return (await audit.deleteMany({ _id: trusted({ $in: ids }), ...old })).deletedCount;
  },
});
