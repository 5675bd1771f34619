import type { AuthParts } from './deps.ts';

/** Ends all logins of an account but one, in the store and on what is open; each end is on record. */
export const endLogins = async (
  { stores, events, clock, audit }: Pick<AuthParts, 'stores' | 'events' | 'clock' | 'audit'>,
  ownerId: string,
  { except, reason }: { readonly except: string | null; readonly reason: string },
): Promise<number> => {
  const ended = await stores.logins.endLogins(ownerId, new Date(clock.now()), except);
  for (const loginId of ended) {
    events.publish('loginEnded', { ownerId, loginId });
    audit.record({ action: 'login.ended', actorId: ownerId, ownerId, targetId: loginId, details: { reason } });
  }
  return ended.length;
};
