import type { UsageDay, UsageRecord } from './entities.ts';

/** What one owner may use; 0: as much as is wanted. */
export interface QuotaLimits {
  /**
   * Answers at the same time: chats that are being answered, and stateless calls. What waits in a chat behind a reply that
   * runs takes no more of it, since a chat answers one message at a time.
   */
  readonly concurrentReplies: number;
  readonly tokensPerDay: number;
  readonly costMicroUsdPerDay: number;
}

/** What is set aside of an owner's quotas for an answer, from its send until its books are written. */
export interface Reservation {
  /** Who answers: dies the node, what it reserved comes free when `until` has passed. */
  readonly nodeId: string;
  readonly until: Date;
  readonly tokens: number;
  readonly costMicroUsd: number;
  readonly limits: QuotaLimits;
  /** Answers of the same owner that have ended: what the store still has of them takes no place any more (`UsageBatch.ended`). */
  readonly ended: readonly string[];
}

/** How much of an owner's quotas is taken. */
export interface QuotaUse {
  /** In the books of the day. */
  readonly tokens: number;
  readonly costMicroUsd: number;
  /** Set aside for answers whose books are not written. */
  readonly reservedTokens: number;
  readonly reservedCostMicroUsd: number;
  readonly concurrentReplies: number;
}

/** A reservation, by the id under which it was made. */
export interface ReservationKey {
  readonly ownerId: string;
  readonly id: string;
}

/** What a node adds to the books at once. */
export interface UsageBatch {
  readonly nodeId: string;
  /** Rises with each batch of the node, which begins none before the one before it is stored; the same number again does nothing. */
  readonly number: number;
  readonly records: readonly UsageRecord[];
  /** Answers that have ended: they take no place any more, but keep what they reserved until their books are written. */
  readonly ended: readonly ReservationKey[];
  /** Reservations that end with it; those that are not there are none. */
  readonly released: readonly ReservationKey[];
}

/** Which part of the books is wanted, the newest first: `from` included, `to` not. */
export interface UsagePage {
  readonly from: Date;
  readonly to: Date;
  /** Only records behind this one; equal times are ordered by id. */
  readonly after: { readonly at: Date; readonly id: string } | null;
  readonly limit: number;
}

export interface DayTotal {
  readonly tokens: number;
  readonly costMicroUsd: number;
}

export interface UsageStore {
  /**
   * Reserves for an answer that no turn stores. Of any number at once, on whichever nodes, as many succeed as one after the
   * other would: the limits compare what the day's books and the live reservations have taken by then. Daily limits let in
   * whoever comes while less than the limit is taken. A refused one may leave `ended` undone. Need not survive a power loss.
   * @throws QuotaError
   */
  reserve(ownerId: string, id: string, reservation: Reservation, at: Date): Promise<void>;
  /** Extends what the node has reserved. Need not be durable. */
  renewReservations(nodeId: string, until: Date): Promise<void>;
  /**
   * Adds records and the counters of their days, frees places, and ends reservations; whoever sees a reservation ended sees the books that
   * came with it. Survives the death of the process, but need not survive a power loss.
   */
  appendUsage(batch: UsageBatch): Promise<void>;
  /** How much is taken at `at`, of that UTC day. */
  findQuotaUse(ownerId: string, at: Date): Promise<QuotaUse>;
  /** The counters of the days from `from` up to and with `to` (`2026-11-21`), in order of day and model. */
  listUsageDays(ownerId: string, from: string, to: string): Promise<UsageDay[]>;
  listUsage(ownerId: string, page: UsagePage): Promise<UsageRecord[]>;
  /** What everybody used on a UTC day (`2026-11-21`); not for every request. */
  findUsageOfDay(day: string): Promise<DayTotal>;
  /** Removes at most `limit` owners' models' days before `day`, with their records; returns how many. */
  deleteUsage(day: string, limit: number): Promise<number>;
}
