import type { User } from '../../models/entities.ts';
import type { AuthParts } from './deps.ts';

/**
 * Takes away, but for logins, whatever else leads in to an account or keeps its user out: API keys, linked identities, the second
 * factor. For an account whose address is shown to be somebody's for the first time: until then it was anybody's who typed it
 * in, who must not go on reading what the rightful user writes (Sudhodanan and Paverd, «Pre-hijacked accounts», USENIX Security
 * 2022). Each is on record. Called again, it takes what came since.
 */
export const endEarlierAccess = async (
  { stores, events, clock, audit }: Pick<AuthParts, 'stores' | 'events' | 'clock' | 'audit'>,
  { id: ownerId }: User,
): Promise<void> => {
  const now = new Date(clock.now());
  const record = (action: 'key.revoked' | 'identity.removed' | 'mfa.disabled', targetId?: string): Promise<void> =>
    audit.recordNow({ action, actorId: ownerId, ownerId, targetId, details: { reason: 'address verified by reset' } });

  for (const { id } of await stores.identities.listIdentities(ownerId)) {
    if (await stores.identities.deleteIdentity(ownerId, id)) await record('identity.removed', id);
  }
  for (const keyId of await stores.apiKeys.revokeKeys(ownerId, now)) {
    events.publish('keyEnded', { ownerId, keyId });
    await record('key.revoked', keyId);
  }
  if (await stores.secondFactors.disableFactor(ownerId, now)) await record('mfa.disabled');
};
