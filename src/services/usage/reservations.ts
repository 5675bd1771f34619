import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { QuotaLimits, Reservation, ReservationKey, UsageStore } from '../../models/stores.ts';
import type { Books } from './books.ts';
import { tokensOf } from './guess.ts';

/** Milliseconds for which the reservations of a node that died are kept, and how often a living one renews its own. */
const HOLD_MS = 15_000;
const RENEW_MS = 5_000;
/** Micro-dollars set aside for a token, whichever model will answer: one dollar for a million of them. */
const RESERVED_MICRO_USD_PER_TOKEN = 1;

export interface ReservationsOptions {
  readonly store: Pick<UsageStore, 'renewReservations'>;
  readonly books: Pick<Books, 'end' | 'release'>;
  readonly limits: QuotaLimits;
  /** The longest answer, in tokens. */
  readonly maxOutputTokens: number;
  readonly nodeId: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What the answers of this node have set aside of their owners' quotas. */
export interface Reservations {
  /**
   * For an answer to so many UTF-16 units; null where there is no quota. It tells the store also which of the owner's answers
   * have ended here by now, so that whoever comes after an answer finds its place free without a write in between.
   */
  make(ownerId: string, units: number, maxTokens: number | null): Reservation | null;
  /** The store has taken it. */
  hold(key: ReservationKey, taken: Reservation): void;
  /** Called when a call of the answer has ended whose books are not known yet; what is returned, when they are written. */
  await(id: string): () => void;
  /** The answer has ended: its place is free at once, the rest when its books are written. */
  release(id: string): void;
  /** The store knows of these now. */
  told(keys: readonly ReservationKey[]): void;
  forgetOwner(ownerId: string): void;
  close(): void;
}

interface Held {
  pending: number;
  isOver: boolean;
}

export const createReservations = (options: ReservationsOptions): Reservations => {
  const { store, books, limits, nodeId, clock } = options;
  const log = options.logger.child('usage');
  const held = new Map<string, Held & { readonly ownerId: string }>();
  /** Answers that have ended and of which the store does not know it yet, by owner. */
  const ended = new Map<string, Set<string>>();
  let renewal: NodeJS.Timeout | null = null;
  const hasQuota = Object.values(limits).some((limit: number) => limit > 0);
  const until = (): Date => new Date(clock.now() + HOLD_MS);

  const renew = (): void => {
    store.renewReservations(nodeId, until()).catch((error: unknown) => {
      log.warn('reservations could not be renewed', { err: error });
    });
  };

  const stopRenewing = (): void => {
    if (renewal) clearInterval(renewal);
    renewal = null;
  };

  const free = ({ ownerId, id }: ReservationKey): void => {
    held.delete(id);
    books.release({ ownerId, id });
    if (held.size === 0) stopRenewing();
  };

  const told: Reservations['told'] = (keys) => {
    for (const { ownerId, id } of keys) {
      const ids = ended.get(ownerId);
      ids?.delete(id);
      if (ids?.size === 0) ended.delete(ownerId);
    }
  };

  return {
    make: (ownerId, units, maxTokens) => {
      if (!hasQuota) return null;
      const tokens = tokensOf(units) + (maxTokens ?? options.maxOutputTokens);
      const costMicroUsd = tokens * RESERVED_MICRO_USD_PER_TOKEN;
      return { nodeId, until: until(), tokens, costMicroUsd, limits, ended: [...(ended.get(ownerId) ?? [])] };
    },
    hold: ({ ownerId, id }, taken) => {
      told(taken.ended.map((endedId) => ({ ownerId, id: endedId })));
      held.set(id, { ownerId, pending: 0, isOver: false });
      renewal ??= setInterval(renew, RENEW_MS).unref();
    },
    await: (id) => {
      const answer = held.get(id);
      if (!answer) return () => undefined;
      answer.pending += 1;
      return () => {
        answer.pending -= 1;
        if (answer.isOver && answer.pending === 0) free({ ownerId: answer.ownerId, id });
      };
    },
    release: (id) => {
      const answer = held.get(id);
      if (!answer || answer.isOver) return;
      answer.isOver = true;
      const { ownerId } = answer;
      ended.set(ownerId, (ended.get(ownerId) ?? new Set()).add(id));
      if (answer.pending === 0) free({ ownerId, id });
      else books.end({ ownerId, id });
    },
    told,
    forgetOwner: (ownerId) => void ended.delete(ownerId),
    close: stopRenewing,
  };
};
