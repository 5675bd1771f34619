import type { AuditEvent } from '../entities.ts';
import type { AuditStore } from '../stores.ts';
import type { Database } from './database.ts';
import type { Sync } from './sync.ts';
import { before, fromJson, toDate, toJson } from './table.ts';

interface AuditRow {
  readonly id: string;
  readonly at: number;
  readonly action: string;
  readonly outcome: AuditEvent['outcome'];
  readonly actor_id: string | null;
  readonly owner_id: string | null;
  readonly target_id: string | null;
  readonly ip: string;
  readonly device: string;
  readonly request_id: string | null;
  readonly details: string | null;
}

const toEntity = (row: AuditRow): AuditEvent => ({
  id: row.id,
  at: toDate(row.at),
  action: row.action,
  outcome: row.outcome,
  actorId: row.actor_id,
  ownerId: row.owner_id,
  targetId: row.target_id,
  ip: row.ip,
  device: row.device,
  requestId: row.request_id,
  details: fromJson(row.details) as AuditEvent['details'],
});

const INSERT_EVENT = `
INSERT INTO audit (id, at, action, outcome, actor_id, owner_id, target_id, ip, device, request_id, details)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`;

const DELETE_EVENTS = `
DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ? ORDER BY at, id LIMIT ?)`;

export const createAuditStore = (db: Database): Sync<AuditStore> => ({
  appendEvents: (events) => {
    for (const event of events) {
      db.run(
        INSERT_EVENT,
        event.id,
        event.at.getTime(),
        event.action,
        event.outcome,
        event.actorId,
        event.ownerId,
        event.targetId,
        event.ip,
        event.device,
        event.requestId,
        toJson(event.details),
      );
    }
  },
  listEvents: ({ actorId, ownerId, actions, from, to }, { after, limit }) => {
    // Only what is asked for: a condition that may be void keeps SQLite from the index of those that are not.
    const conditions: readonly (readonly [sql: string, values: readonly (string | number)[]])[] = [
      ['(at, id) < (?, ?)', before(after)],
      ...(actorId === null ? [] : ([['actor_id = ?', [actorId]]] as const)),
      ...(ownerId === null ? [] : ([['owner_id = ?', [ownerId]]] as const)),
      ...(actions.length === 0
        ? []
        : ([['action IN (SELECT value FROM json_each(?))', [JSON.stringify(actions)]]] as const)),
      ...(from === null ? [] : ([['at >= ?', [from.getTime()]]] as const)),
      ...(to === null ? [] : ([['at < ?', [to.getTime()]]] as const)),
    ];
    const where = conditions.map(([sql]) => sql).join(' AND ');
    const values = conditions.flatMap(([, parameters]) => parameters);
    const rows = db.all(`SELECT * FROM audit WHERE ${where} ORDER BY at DESC, id DESC LIMIT ?`, ...values, limit);
    return (rows as AuditRow[]).map(toEntity);
  },
  deleteEvents: (time, limit) => db.run(DELETE_EVENTS, time.getTime(), limit),
});
