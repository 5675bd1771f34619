import type { DayTotal, UsageStore } from '../stores.ts';
import type { Database } from './database.ts';
import { endReservations, findQuotaUse, reserve } from './quota.ts';
import type { Sync } from './sync.ts';
import { countUsage, insertUsage, toUsageDay, toUsageRecord, type UsageDayRow, type UsageRow } from './usage.rows.ts';

export const LIST_USAGE = `
SELECT * FROM usage WHERE owner_id = ? AND at >= ? AND at < ? AND (at, id) < (?, ?)
ORDER BY at DESC, id DESC LIMIT ?`;

export const LIST_USAGE_DAYS =
  'SELECT * FROM usage_days WHERE owner_id = ? AND day BETWEEN ? AND ? ORDER BY day, model';

export const OLD_DAYS = 'SELECT owner_id, day, model FROM usage_days WHERE day < ? ORDER BY day LIMIT ?';

const DAY_TOTAL = `
SELECT coalesce(sum(total_tokens), 0) AS tokens, coalesce(sum(cost_micro_usd), 0) AS costMicroUsd
FROM usage_days WHERE day = ?`;

const RELEASE = 'DELETE FROM quota_reservations WHERE owner_id = ? AND id = ?';

const DELETE_RECORDS = 'DELETE FROM usage WHERE owner_id = ? AND at >= ? AND at < ? AND model = ?';

const DELETE_DAY = 'DELETE FROM usage_days WHERE owner_id = ? AND day = ? AND model = ?';

const DAY_MS = 86_400_000;

type OldDay = Pick<UsageRow, 'owner_id' | 'model'> & Pick<UsageDayRow, 'day'>;

export const createUsageStore = (db: Database): Sync<UsageStore> => ({
  reserve: (ownerId, id, reservation, at) => {
    reserve(db, { ownerId, id, chatId: null, reservation, at });
  },
  renewReservations: (nodeId, until) => {
    db.run('UPDATE quota_reservations SET until = ? WHERE node_id = ?', until.getTime(), nodeId);
  },
  appendUsage: ({ records, ended, released }) => {
    for (const record of records) if (insertUsage(db, record) === 1) countUsage(db, record);
    for (const { ownerId, id } of ended) endReservations(db, ownerId, [id]);
    for (const { ownerId, id } of released) db.run(RELEASE, ownerId, id);
  },
  findQuotaUse: (ownerId, at) => findQuotaUse(db, ownerId, at),
  listUsageDays: (ownerId, from, to) => (db.all(LIST_USAGE_DAYS, ownerId, from, to) as UsageDayRow[]).map(toUsageDay),
  listUsage: (ownerId, { from, to, after, limit }) => {
    const below = after ?? { at: to, id: '' };
    const values = [ownerId, from.getTime(), to.getTime(), below.at.getTime(), below.id, limit];
    return (db.all(LIST_USAGE, ...values) as UsageRow[]).map(toUsageRecord);
  },
  findUsageOfDay: (day) => ({ ...(db.get(DAY_TOTAL, day) as DayTotal) }),
  deleteUsage: (day, limit) => {
    const old = db.all(OLD_DAYS, day, limit) as OldDay[];
    for (const row of old) {
      const from = Date.parse(row.day);
      db.run(DELETE_RECORDS, row.owner_id, from, from + DAY_MS, row.model);
      db.run(DELETE_DAY, row.owner_id, row.day, row.model);
    }
    return old.length;
  },
});
