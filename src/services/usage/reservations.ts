import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Reservation, QuotaLimits, UsageStore } from '../../models/stores.ts';
import type { Books } from './books.ts';
import { tokensOf } from './guess.ts';

/** Milliseconds for which the reservations of a node that died are kept, and how often a living one renews its own. */
const HOLD_MS = 15_000;
const RENEW_MS = 5_000;
/** Micro-dollars set aside for a token, whichever model will answer: one dollar for a million of them. */
const RESERVED_MICRO_USD_PER_TOKEN = 1;

export interface ReservationsOptions {
  readonly store: Pick<UsageStore, 'renewReservations'>;
  readonly books: Pick<Books, 'release'>;
  readonly limits: QuotaLimits;
  /** The longest answer, in tokens. */
  readonly maxOutputTokens: number;
  readonly nodeId: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What the answers of this node have set aside of their owners' quotas. */
export interface Reservations {
  /** For an answer to so many UTF-16 units; null where there is no quota. */
  make(units: number, maxTokens: number | null): Reservation | null;
  hold(ownerId: string, id: string): void;
  /** Called when a call of the answer has ended whose books are not known yet; what is returned, when they are written. */
  await(id: string): () => void;
  release(ownerId: string, id: string): void;
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

  const freeIfOver = (id: string): void => {
    const answer = held.get(id);
    if (!answer?.isOver || answer.pending > 0) return;
    held.delete(id);
    books.release({ ownerId: answer.ownerId, id });
    if (held.size === 0) stopRenewing();
  };

  return {
    make: (units, maxTokens) => {
      if (!hasQuota) return null;
      const tokens = tokensOf(units) + (maxTokens ?? options.maxOutputTokens);
      return { nodeId, until: until(), tokens, costMicroUsd: tokens * RESERVED_MICRO_USD_PER_TOKEN, limits };
    },
    hold: (ownerId, id) => {
      held.set(id, { ownerId, pending: 0, isOver: false });
      renewal ??= setInterval(renew, RENEW_MS).unref();
    },
    await: (id) => {
      const answer = held.get(id);
      if (!answer) return () => undefined;
      answer.pending += 1;
      return () => {
        answer.pending -= 1;
        freeIfOver(id);
      };
    },
    release: (_ownerId, id) => {
      const answer = held.get(id);
      if (!answer) return;
      answer.isOver = true;
      freeIfOver(id);
    },
    close: stopRenewing,
  };
};
