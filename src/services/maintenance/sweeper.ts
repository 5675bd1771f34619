import type { Clock } from '../../lib/clock.ts';
import type { Lifecycle } from '../../lib/lifecycle.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Stores } from '../../models/stores.ts';
import { SYNC_WINDOW_MS } from '../chat/index.ts';
import { MAX_USAGE_DAYS } from '../usage/index.ts';

/** Milliseconds between two rounds. */
const INTERVAL_MS = 60_000;
/** Rows that one step may remove, so that a round never holds the database for long. */
const BATCH = 200;
const DAY_MS = 86_400_000;
/** Days for which a key that was revoked or has expired is still known, and told so to who uses it. */
const ENDED_KEYS_DAYS = 30;
/** Days for which the books are kept: what `GET /api/usage` gives at once, and the one that has begun. */
const USAGE_DAYS = MAX_USAGE_DAYS + 1;
/** Longer than any device's cursor is good, by more than clocks differ and writes take. */
const TOMBSTONES_MS = SYNC_WINDOW_MS + DAY_MS;

export interface SweeperOptions {
  readonly stores: Pick<
    Stores,
    'chats' | 'logins' | 'apiKeys' | 'mailTokens' | 'failures' | 'audit' | 'sync' | 'usage' | 'repair'
  >;
  /** Deletes an idle chat as its owner would. */
  readonly expireChat: (ownerId: string, chatId: string) => Promise<void>;
  /** Brings secrets under the present key after a change of keys, so many at most; returns how many. */
  readonly rewrapSecrets: (limit: number) => Promise<number>;
  /** Days after which an idle chat is deleted; 0 keeps them. */
  readonly retentionDays: number;
  /** Days after which an event leaves the audit log. */
  readonly auditRetentionDays: number;
  readonly lifecycle: Lifecycle;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Removes what has expired and finishes what a crash left half done, the same way on either database: TTL indexes would
 * serve only one of them. Begins at once, then once a minute; several nodes may sweep at the same time.
 */
export const startSweeper = (options: SweeperOptions): void => {
  const { stores, expireChat, retentionDays, lifecycle, clock } = options;
  const log = options.logger.child('sweeper');
  let timer: NodeJS.Timeout | null = null;
  let isClosed = false;

  const daysAgo = (days: number): Date => new Date(clock.now() - days * DAY_MS);

  /** Repeats a step until it finds less than a batch. Returns how many rows it removed. */
  const drain = async (step: () => Promise<number>): Promise<number> => {
    let total = 0;
    for (;;) {
      const count = isClosed ? 0 : await step();
      total += count;
      if (count < BATCH) return total;
    }
  };

  const expireChats = async (): Promise<number> => {
    const idle = await stores.chats.listIdleChats(new Date(clock.now() - retentionDays * DAY_MS), BATCH);
    for (const { ownerId, id } of idle) await expireChat(ownerId, id);
    return idle.length;
  };

  const sweep = async (): Promise<void> => {
    const repaired = await stores.repair();
    const rewrapped = await drain(() => options.rewrapSecrets(BATCH));
    const logins = await drain(() => stores.logins.deleteExpired(new Date(clock.now()), BATCH));
    const keys = await drain(() => stores.apiKeys.deleteEndedKeys(daysAgo(ENDED_KEYS_DAYS), BATCH));
    const links = await drain(() => stores.mailTokens.deleteMailTokens(new Date(clock.now()), BATCH));
    const failures = await drain(
      async () => (await stores.failures?.deleteFailures(new Date(clock.now()), BATCH)) ?? 0,
    );
    const events = await drain(() => stores.audit.deleteEvents(daysAgo(options.auditRetentionDays), BATCH));
    const chats = retentionDays === 0 ? 0 : await drain(expireChats);
    const tombstones = await drain(() => stores.sync.deleteTombstones(new Date(clock.now() - TOMBSTONES_MS), BATCH));
    const firstUsed = daysAgo(USAGE_DAYS).toISOString().slice(0, 10);
    const used = await drain(() => stores.usage.deleteUsage(firstUsed, BATCH));
    const counts = { repaired, rewrapped, logins, keys, links, failures, events, chats, tombstones, used };
    if (Object.values(counts).some((count) => count > 0)) log.info('swept', counts);
  };

  const loop = async (): Promise<void> => {
    try {
      await sweep();
    } catch (error) {
      log.warn('could not sweep', { err: error });
    }
    if (isClosed) return;
    timer = setTimeout(() => void loop(), INTERVAL_MS);
    timer.unref();
  };

  void loop();
  lifecycle.onClose('replies', 'sweeper', () => {
    isClosed = true;
    if (timer) clearTimeout(timer);
  });
};
