import { setImmediate } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../lib/clock.ts';
import { newId } from '../../lib/ids.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Metrics } from '../../lib/metrics.ts';
import { QuotaError } from '../../models/errors.ts';
import type { QuotaLimits, Reservation, Stores } from '../../models/stores.ts';
import type { LlmProvider } from '../llm/provider.ts';
import { createBooks } from './books.ts';
import { createLookup } from './lookup.ts';
import { createRecorder } from './recorder.ts';
import { createRefusal } from './refusal.ts';
import { createReservations } from './reservations.ts';
import { createSummary } from './summary.ts';
import type { UsageService } from './usage.types.ts';

export { createAnswerUsage, type AnswerUsage } from './answerUsage.ts';
export { unitsOf } from './guess.ts';
export { MAX_USAGE_DAYS } from './range.ts';
export type { BookedAnswer, CompletionNeeds, OpenCompletion, UsageService, UsageSummary } from './usage.types.ts';

export interface UsageOptions {
  readonly stores: Pick<Stores, 'usage'>;
  readonly findUsage: LlmProvider['findUsage'];
  readonly limits: QuotaLimits;
  /** The longest answer, in tokens. */
  readonly maxOutputTokens: number;
  /** Names this node in reservations; another one each time the process starts. */
  readonly nodeId: string;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Milliseconds before each time that the endpoint is asked for books which a stream did not bring. */
  readonly lookupDelaysMs?: readonly number[];
}

/** Owners who are gone and are remembered, so that no late record comes after their account. */
const MAX_GONE = 10_000;

export const createUsageService = (options: UsageOptions): UsageService => {
  const { stores, limits, clock, lookupDelaysMs } = options;
  const store = stores.usage;
  const books = createBooks({
    ...options,
    store,
    written: (batch) => reservations.told([...batch.ended, ...batch.released]),
  });
  const gone = new LRUCache<string, true>({ max: MAX_GONE });
  const lookup = createLookup({ ...options, ...(lookupDelaysMs ? { delaysMs: lookupDelaysMs } : {}) });
  const reservations = createReservations({ ...options, store, books });
  const recorder = createRecorder({
    ...options,
    lookup,
    write: (record) => {
      if (!gone.has(record.ownerId)) books.add(record);
    },
    wait: (answerId) => reservations.await(answerId),
  });
  const refusal = createRefusal(options);

  const reserve = async (ownerId: string, id: string, reservation: Reservation): Promise<void> => {
    try {
      await store.reserve(ownerId, id, reservation, new Date(clock.now()));
    } catch (error) {
      throw error instanceof QuotaError ? refusal(error) : error;
    }
    reservations.hold({ ownerId, id }, reservation);
  };

  return {
    reservation: (ownerId, units) => reservations.make(ownerId, units, null),
    refusal,
    hold: (key, taken) => reservations.hold(key, taken),
    release: (id) => reservations.release(id),
    recorder,
    openCompletion: async ({ ownerId, userId }, { promptUnits, maxTokens }) => {
      const id = newId();
      const reservation = reservations.make(ownerId, promptUnits, maxTokens);
      if (reservation) await reserve(ownerId, id, reservation);
      let units = 0;
      const answer = { kind: 'completion', ownerId, createdBy: userId, id, chatId: null, messageId: null } as const;
      return {
        onAttempt: recorder({ ...answer, promptUnits, answerUnits: () => units }),
        answered: (text) => {
          units += text.length;
        },
        close: () => reservations.release(id),
      };
    },
    ...createSummary({ store, limits, clock, flush: () => books.flush() }),
    forgetOwner: async (ownerId) => {
      gone.set(ownerId, true);
      reservations.forgetOwner(ownerId);
      books.drop(ownerId);
      await books.flush();
    },
    close: async () => {
      reservations.close();
      await lookup.close();
      // Who waited for a lookup has written its guess by the next turn of the loop.
      await setImmediate();
      await books.close();
    },
  };
};
