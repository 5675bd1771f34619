import { QuotaError } from '../errors.ts';
import type { QuotaUse, Reservation } from '../stores.ts';
import { checkDaily, dayOf, isDaily } from '../usageSums.ts';
import type { Database } from './database.ts';
import { IS_UNFINISHED } from './message.rows.ts';
import { inserter } from './table.ts';

export const USED_ON_DAY = `
SELECT coalesce(sum(total_tokens), 0) AS tokens, coalesce(sum(cost_micro_usd), 0) AS cost
FROM usage_days WHERE owner_id = ? AND day = ?`;

export const RESERVED = `
SELECT coalesce(sum(tokens), 0) AS tokens, coalesce(sum(cost_micro_usd), 0) AS cost,
  count(*) FILTER (WHERE chat_id IS NULL AND has_ended = 0) AS completions
FROM quota_reservations WHERE owner_id = ? AND until > ?`;

/** As many replies run at the same time: a chat answers one message after the other. */
export const BUSY_CHATS = `SELECT count(DISTINCT chat_id) AS count FROM messages WHERE owner_id = ? AND ${IS_UNFINISHED}`;

const END = 'UPDATE quota_reservations SET has_ended = 1 WHERE owner_id = ? AND id IN (SELECT value FROM json_each(?))';

const IS_BUSY = `SELECT 1 FROM messages WHERE chat_id = ? AND ${IS_UNFINISHED} LIMIT 1`;

interface Sum {
  readonly tokens: number;
  readonly cost: number;
}

/** Who wants what. `chatId`: where a reply is to be stored; null: a stateless completion. */
export interface Wanted {
  readonly ownerId: string;
  readonly id: string;
  readonly chatId: string | null;
  readonly reservation: Reservation;
  readonly at: Date;
}

const insertReservation = inserter<Wanted>('quota_reservations', {
  owner_id: ({ ownerId }) => ownerId,
  id: ({ id }) => id,
  chat_id: ({ chatId }) => chatId,
  node_id: ({ reservation }) => reservation.nodeId,
  tokens: ({ reservation }) => reservation.tokens,
  cost_micro_usd: ({ reservation }) => reservation.costMicroUsd,
  until: ({ reservation }) => reservation.until.getTime(),
});

const reserved = (db: Database, ownerId: string, at: Date) =>
  db.get(RESERVED, ownerId, at.getTime()) as Sum & { readonly completions: number };

export const findQuotaUse = (db: Database, ownerId: string, at: Date): QuotaUse => {
  const used = db.get(USED_ON_DAY, ownerId, dayOf(at)) as Sum;
  const { tokens, cost, completions } = reserved(db, ownerId, at);
  const { count } = db.get(BUSY_CHATS, ownerId) as { readonly count: number };
  return {
    tokens: used.tokens,
    costMicroUsd: used.cost,
    reservedTokens: tokens,
    reservedCostMicroUsd: cost,
    concurrentReplies: count + completions,
  };
};

/** Frees the places of answers that have ended; what they reserved besides stays. */
export const endReservations = (db: Database, ownerId: string, ids: readonly string[]): void => {
  if (ids.length > 0) db.run(END, ownerId, JSON.stringify(ids));
};

/** A place for one more at the same time; a chat that is being answered has one already. */
const checkConcurrent = (db: Database, { ownerId, chatId, reservation, at }: Wanted): void => {
  const limit = reservation.limits.concurrentReplies;
  if (limit === 0 || (chatId !== null && db.get(IS_BUSY, chatId) !== undefined)) return;
  const { count } = db.get(BUSY_CHATS, ownerId) as { readonly count: number };
  if (count + reserved(db, ownerId, at).completions >= limit) throw new QuotaError('concurrentReplies', false);
};

/**
 * Takes what is wanted within the caller's transaction, before the reply is stored. A reply that only has to be counted
 * leaves no row: its message is enough. @throws QuotaError
 */
export const reserve = (db: Database, wanted: Wanted): void => {
  const { limits, ended } = wanted.reservation;
  endReservations(db, wanted.ownerId, ended);
  checkConcurrent(db, wanted);
  if (isDaily(limits)) checkDaily(limits, findQuotaUse(db, wanted.ownerId, wanted.at));
  if (isDaily(limits) || wanted.chatId === null) insertReservation(db, wanted);
};

/**
 * Ends every reservation. Only for the one process that has the database to itself, at its start: whoever held them is dead.
 * @returns how many there were
 */
export const dropReservations = (db: Database): number => db.run('DELETE FROM quota_reservations');
