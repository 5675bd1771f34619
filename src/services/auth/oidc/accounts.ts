import { AppError } from '../../../lib/errors.ts';
import { newId } from '../../../lib/ids.ts';
import type { Identity, User } from '../../../models/entities.ts';
import { DuplicateKeyError } from '../../../models/errors.ts';
import type { AuthParts, Client } from '../deps.ts';
import { createLoginGate } from '../loginGate.ts';
import { nobodysAddress } from './noAddress.ts';
import type { Profile } from './profile.ts';
import type { Provider } from './provider.ts';
import { usernamesFor } from './usernames.ts';

/** Rounds after which something is wrong: each is begun only because somebody else was faster. */
const MAX_ROUNDS = 5;

/** What a store says when somebody else had the same name, address or identity first. */
const takenField = (error: unknown): string => {
  if (error instanceof DuplicateKeyError) return error.field;
  throw error;
};

type Who = Pick<Provider, 'id' | 'label'>;

/**
 * Finds the account of who signed in at a provider, or makes one.
 *
 * - A known identity (issuer and subject) is its account's, whatever its address is by now.
 * - Else an account with the same address takes it, if both sides have verified the address. One that has not been verified
 *   here is anybody's who typed it in: linking would give its maker a way into somebody else's account, so it is refused.
 * - Else an account without a password is made. An address that the provider does not vouch for is not taken.
 */
export const createOidcAccounts = (parts: AuthParts) => {
  const { stores, config, clock, logger, audit, mailer } = parts;
  const { users, identities } = stores;
  const gate = createLoginGate(parts);

  const toIdentity = (profile: Profile, provider: Who, ownerId: string): Identity => {
    const now = new Date(clock.now());
    const { issuer, subject, email } = profile;
    return { id: newId(), ownerId, provider: provider.id, issuer, subject, email, createdAt: now, lastUsedAt: now };
  };

  const findByIdentity = async (profile: Profile): Promise<User | null> => {
    const identity = await identities.findIdentity(profile.issuer, profile.subject);
    if (!identity) return null;
    const user = await users.findUser(identity.ownerId);
    if (!user) {
      // Left by an account that was deleted while somebody signed in to it.
      await identities.deleteIdentity(identity.ownerId, identity.id);
      return null;
    }
    await identities.touchIdentity(user.id, identity.id, new Date(clock.now()));
    // Once more: it may have been taken away, with a reset of the password, before the account was read.
    const isStill = (await identities.findIdentity(profile.issuer, profile.subject))?.ownerId === user.id;
    return isStill ? user : null;
  };

  /** @returns false when somebody else has linked it meanwhile */
  const link = async (user: User, profile: Profile, provider: Who): Promise<boolean> => {
    const identity = toIdentity(profile, provider, user.id);
    try {
      await identities.createIdentity(identity);
    } catch (error) {
      takenField(error);
      return false;
    }
    const details = { method: `oidc:${provider.id}` };
    const [actorId, ownerId, targetId] = [user.id, user.id, identity.id];
    await audit.recordNow({ action: 'identity.linked', actorId, ownerId, targetId, details });
    mailer.send(user.email, 'identityLinked', { username: user.username, provider: provider.label });
    logger.info('identity linked', { userId: user.id, provider: provider.id });
    return true;
  };

  const toUser = (profile: Profile, username: string): User => {
    const id = newId();
    const now = new Date(clock.now());
    const isVouchedFor = profile.email !== null && profile.emailVerified;
    return {
      id,
      username,
      email: isVouchedFor ? profile.email : nobodysAddress(id),
      emailVerified: isVouchedFor,
      fullName: profile.fullName,
      role: 'user',
      status: 'active',
      // No hash: no password is right until one is set by a mail's link.
      passwordHash: '',
      mfaEnabled: false,
      createdAt: now,
      updatedAt: now,
      lastLoginAt: null,
    };
  };

  /** @returns null when somebody else has taken the address or the identity meanwhile */
  const create = async (profile: Profile, provider: Who): Promise<User | null> => {
    for (const username of usernamesFor(profile.names)) {
      const user = toUser(profile, username);
      try {
        await identities.createAccount(user, toIdentity(profile, provider, user.id));
      } catch (error) {
        if (takenField(error) === 'username') continue;
        return null;
      }
      const details = { method: `oidc:${provider.id}` };
      audit.record({ action: 'account.created', actorId: user.id, ownerId: user.id, details });
      logger.info('account made', { userId: user.id, provider: provider.id });
      return user;
    }
    return null;
  };

  const checkVerified = ({ emailVerified }: Profile, method: string, client: Client): void => {
    if (emailVerified || !config.mail.requireVerification) return;
    gate.refuse('address not verified there', { method, user: null, client });
    throw new AppError('EMAIL_NOT_VERIFIED', { detail: 'The provider does not say that your address is verified' });
  };

  const findByAddress = async ({ email, emailVerified }: Profile): Promise<User | null> =>
    email !== null && emailVerified ? users.findUserByLogin(email) : null;

  const find = async (profile: Profile, provider: Who, client: Client): Promise<User | null> => {
    const method = `oidc:${provider.id}`;
    const known = await findByIdentity(profile);
    if (known) return known;
    const local = await findByAddress(profile);
    if (!local) {
      checkVerified(profile, method, client);
      return create(profile, provider);
    }
    gate.checkState(local, method, client);
    if (!local.emailVerified) {
      gate.refuse('address not verified here', { method, user: local, client });
      const detail = 'An account with this address has not verified it: log in to it and verify the address first';
      throw new AppError('EMAIL_TAKEN', { detail });
    }
    return (await link(local, profile, provider)) ? local : null;
  };

  /** @throws AppError `EMAIL_TAKEN`, `ACCOUNT_DISABLED`, `EMAIL_NOT_VERIFIED` */
  return async (profile: Profile, provider: Who, client: Client): Promise<User> => {
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const user = await find(profile, provider, client);
      if (user) return user;
    }
    throw new Error('an account could neither be found nor made');
  };
};
