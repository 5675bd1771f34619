import type { Clock } from '../lib/clock.ts';
import type { EventBus } from '../services/events.ts';
import type { EndReason, LiveClient, LiveDoor } from './liveClient.ts';

/** Milliseconds between two looks at the clients' tokens. */
const EXPIRY_CHECK_MS = 1_000;
/** A client is told this long before its token ends, and dropped this long after. */
const EXPIRY_NOTICE_MS = 60_000;
const EXPIRY_GRACE_MS = 5_000;

export interface LoginWatchOptions {
  readonly doors: readonly LiveDoor[];
  readonly events: EventBus;
  readonly clock: Clock;
}

/** Tells a client whose token ends, and drops one whose token has ended. */
const checkExpiry = (client: LiveClient, end: (reason: EndReason) => void, now: number): void => {
  const { expiresAt } = client.data.actor;
  if (!expiresAt) return;
  const leftMs = expiresAt.getTime() - now;
  if (leftMs <= -EXPIRY_GRACE_MS) end('TOKEN_EXPIRED');
  else if (leftMs <= EXPIRY_NOTICE_MS && !client.data.isExpiryTold) {
    client.data.isExpiryTold = true;
    client.emit('auth:expiring', { expiresAt: expiresAt.toISOString() });
  }
};

/** Lets no client of any door stay longer than what it logged in with. Returns what ends the watch. */
export const watchLogins = ({ doors, events, clock }: LoginWatchOptions): (() => void) => {
  const endWhere = (ownerId: string, isEnded: (client: LiveClient) => boolean): void => {
    for (const door of doors) {
      door.forEach((client, end) => {
        if (client.data.actor.ownerId === ownerId && isEnded(client)) end('TOKEN_REVOKED');
      });
    }
  };
  const subscriptions = [
    events.subscribe('loginEnded', ({ ownerId, loginId }) =>
      endWhere(ownerId, ({ data }) => data.actor.loginId === loginId),
    ),
    events.subscribe('keyEnded', ({ ownerId, keyId }) => endWhere(ownerId, ({ data }) => data.actor.keyId === keyId)),
    events.subscribe('accountEnded', ({ ownerId }) => endWhere(ownerId, () => true)),
  ];
  const expiry = setInterval(() => {
    const now = clock.now();
    for (const door of doors) door.forEach((client, end) => checkExpiry(client, end, now));
  }, EXPIRY_CHECK_MS);
  expiry.unref();

  return () => {
    clearInterval(expiry);
    for (const unsubscribe of subscriptions) unsubscribe();
  };
};
