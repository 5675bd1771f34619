import { z } from 'zod';
import { AppError } from '../../../lib/errors.ts';
import { newId } from '../../../lib/ids.ts';
import type { Identity, User } from '../../../models/entities.ts';
import { DuplicateKeyError } from '../../../models/errors.ts';
import type { Actor } from '../actor.ts';
import type { AuthParts } from '../deps.ts';
import { createReauthentication } from '../reauthenticate.ts';
import { createCodes } from './codes.ts';

/** Ways in that an account can have besides its password. */
const MAX_IDENTITIES = 10;

/** Who somebody is at a provider, on the way to the account that it is to belong to. */
const LINK_CODE = {
  kind: 'oidc link code',
  content: z.object({ provider: z.string(), issuer: z.string(), subject: z.string(), email: z.string().nullable() }),
} as const;

type Who = z.output<(typeof LINK_CODE)['content']>;

export interface LinkRequest {
  readonly code: string;
  readonly codeVerifier: string;
  readonly currentPassword?: string | undefined;
}

/**
 * What users see of the accounts at other services by which they sign in, and change of it. A change needs the password, or for
 * an account without one a login of the last ten minutes.
 */
export const createIdentities = (parts: AuthParts, labelOf: (provider: string) => string) => {
  const { stores, clock, logger, audit, mailer } = parts;
  const { identities } = stores;
  const reauthenticate = createReauthentication(parts);
  const codes = createCodes(parts, LINK_CODE);

  const findOwner = async (actor: Actor): Promise<User> => {
    const user = await stores.users.findUser(actor.userId);
    if (!user) throw new AppError('TOKEN_REVOKED');
    return user;
  };

  const checkOwner = (actor: Actor, user: User, currentPassword: string | undefined): Promise<void> =>
    user.passwordHash === '' ? reauthenticate.byFreshLogin(actor) : reauthenticate.byPassword(user, currentPassword);

  const record = async (action: 'identity.linked' | 'identity.removed', { id, ownerId, provider }: Identity) => {
    const details = { method: `oidc:${provider}` };
    await audit.recordNow({ action, actorId: ownerId, ownerId, targetId: id, details });
    logger.info(action === 'identity.linked' ? 'identity linked' : 'identity removed', {
      userId: ownerId,
      provider,
    });
  };

  /** The identity as it is stored: the same one again is no change. @throws AppError `IDENTITY_TAKEN` */
  const store = async (identity: Identity): Promise<Identity> => {
    try {
      await identities.createIdentity(identity);
    } catch (error) {
      if (!(error instanceof DuplicateKeyError)) throw error;
      const known = await identities.findIdentity(identity.issuer, identity.subject);
      if (known?.ownerId !== identity.ownerId) throw new AppError('IDENTITY_TAKEN', { cause: error });
      return known;
    }
    await record('identity.linked', identity);
    return identity;
  };

  /**
   * Links who signed in at a provider to the account of who asks, by the code that the sign-in ended with. An account with a
   * password whose address is not verified may be somebody's who typed in another's: it gets no further way in.
   * @throws AppError `TOKEN_INVALID`, `IDENTITY_TAKEN`, `EMAIL_NOT_VERIFIED`, `FORBIDDEN` (ten already), `VALIDATION_FAILED`,
   *   `INVALID_CREDENTIALS`, `TOO_MANY_FAILURES`
   */
  const linkIdentity = async (
    actor: Actor,
    { code, codeVerifier, currentPassword }: LinkRequest,
  ): Promise<Identity> => {
    const user = await findOwner(actor);
    if (user.passwordHash !== '' && !user.emailVerified) throw new AppError('EMAIL_NOT_VERIFIED');
    await checkOwner(actor, user, currentPassword);
    if ((await identities.listIdentities(user.id)).length >= MAX_IDENTITIES) {
      throw new AppError('FORBIDDEN', { detail: `An account has at most ${String(MAX_IDENTITIES)} identities` });
    }
    const now = new Date(clock.now());
    const who = await codes.spendCode(code, codeVerifier);
    const asked = { id: newId(), ownerId: user.id, ...who, createdAt: now, lastUsedAt: now };
    const identity = await store(asked);
    const provider = labelOf(identity.provider);
    if (identity === asked) mailer.send(user.email, 'identityAdded', { username: user.username, provider });
    return identity;
  };

  /**
   * @throws AppError `IDENTITY_NOT_FOUND`, `FORBIDDEN` (the last way in), `VALIDATION_FAILED`, `INVALID_CREDENTIALS`,
   *   `TOO_MANY_FAILURES`
   */
  const removeIdentity = async (
    actor: Actor,
    identityId: string,
    currentPassword: string | undefined,
  ): Promise<void> => {
    const user = await findOwner(actor);
    const linked = await identities.listIdentities(user.id);
    const identity = linked.find(({ id }) => id === identityId);
    if (!identity) throw new AppError('IDENTITY_NOT_FOUND');
    if (user.passwordHash === '' && linked.length === 1) {
      throw new AppError('FORBIDDEN', { detail: 'It is the only way in to the account: set a password first' });
    }
    await checkOwner(actor, user, currentPassword);
    if (!(await identities.deleteIdentity(user.id, identityId))) throw new AppError('IDENTITY_NOT_FOUND');
    await record('identity.removed', identity);
  };

  return {
    /** For who signed in at a provider to be linked to whoever asks for it with the verifier. */
    issueLinkCode: (codeChallenge: string, who: Who): Promise<string> => codes.issueCode(codeChallenge, '', who),
    linkIdentity,
    removeIdentity,
    /** The oldest first; there are at most ten. */
    listIdentities: (actor: Actor): Promise<readonly Identity[]> => identities.listIdentities(actor.userId),
  };
};
