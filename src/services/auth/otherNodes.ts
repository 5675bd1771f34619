import type { Clock } from '../../lib/clock.ts';
import type { Lifecycle } from '../../lib/lifecycle.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Endings, EndingStore } from '../../models/stores.ts';
import type { EventBus } from '../events.ts';

export interface OtherNodesOptions {
  /** Null: there are no other nodes. */
  readonly endings: EndingStore | null;
  readonly events: EventBus;
  readonly lifecycle: Lifecycle;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Milliseconds between two looks: what another node ended is felt here within two seconds . */
const INTERVAL_MS = 1_000;
/**
 * Milliseconds that each look reaches back behind the one before: by so much the clocks of nodes may differ and a write may
 * take. What comes later still is found when the login or key is read again, within 30 s (loginStates.ts).
 */
const OVERLAP_MS = 10_000;

/** Hands on what is new to `publish`; what was told once is not told again while looks can still return it. */
const createTeller = (events: EventBus) => {
  const told = new Map<string, number>();
  const isNew = (key: string, at: Date): boolean => {
    if (told.get(key) === at.getTime()) return false;
    told.set(key, at.getTime());
    return true;
  };
  return {
    tell: ({ logins, keys, accounts }: Endings): void => {
      for (const { ownerId, loginId, at } of logins) {
        if (isNew(`login:${loginId}`, at)) events.publish('loginEnded', { ownerId, loginId });
      }
      for (const { ownerId, keyId, at } of keys) {
        if (isNew(`key:${keyId}`, at)) events.publish('keyEnded', { ownerId, keyId });
      }
      const changed = accounts.filter(({ ownerId, at }) => isNew(`account:${ownerId}`, at));
      for (const { ownerId, isOver } of changed) if (isOver) events.publish('accountEnded', { ownerId });
      const ownerIds = new Set(changed.filter(({ isOver }) => !isOver).map(({ ownerId }) => ownerId));
      if (ownerIds.size > 0) events.publish('accountsChanged', { ownerIds });
    },
    forgetBefore: (time: number): void => {
      for (const [key, at] of told) if (at < time) told.delete(key);
    },
  };
};

/**
 * Tells this node what other nodes ended, from the database that they share: one look a second at what ended in the last
 * few. It also tells what this node ended itself, which does nothing the second time.
 */
export const watchOtherNodes = ({ endings, events, lifecycle, clock, logger }: OtherNodesOptions): void => {
  if (!endings) return;
  const log = logger.child('other nodes');
  const teller = createTeller(events);
  let lastLook = clock.now();
  let isFailing = false;
  let isClosed = false;
  let timer: NodeJS.Timeout;

  const look = async (): Promise<void> => {
    const startedAt = clock.now();
    // From the last one that worked: an outage of the database hides nothing.
    const since = lastLook - OVERLAP_MS;
    const found = await endings.readEndings(new Date(since));
    if (isClosed) return;
    teller.tell(found);
    teller.forgetBefore(since);
    lastLook = startedAt;
  };

  const loop = async (): Promise<void> => {
    try {
      await look();
      isFailing = false;
    } catch (error) {
      if (!isFailing) log.warn('cannot see what other nodes end', { err: error });
      isFailing = true;
    }
    if (!isClosed) timer = setTimeout(() => void loop(), INTERVAL_MS).unref();
  };

  timer = setTimeout(() => void loop(), INTERVAL_MS).unref();
  lifecycle.onClose('background', 'other nodes', () => {
    isClosed = true;
    clearTimeout(timer);
  });
};
