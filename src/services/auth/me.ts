import { AppError } from '../../lib/errors.ts';
import type { User } from '../../models/entities.ts';
import type { UserChanges } from '../../models/stores.ts';
import type { Actor } from './actor.ts';
import { createPasswordCheck } from './changePassword.ts';
import type { AuthParts } from './deps.ts';
import { deleteAccount } from './deleteAccount.ts';
import { hasNoAddress } from './oidc/noAddress.ts';
import { createReauthentication } from './reauthenticate.ts';
import { takenError } from './signup.ts';
import { createVerifyEmail } from './verifyEmail.ts';

export interface ProfileChanges {
  readonly username?: string | undefined;
  readonly email?: string | undefined;
  readonly fullName?: string | null | undefined;
  readonly currentPassword?: string | undefined;
}

/** What users do with their own account. */
export const createMe = (parts: AuthParts) => {
  const { stores, config, clock, logger, audit, mailer } = parts;
  const checkPassword = createPasswordCheck(parts);
  const reauthenticate = createReauthentication(parts);
  const { sendVerification, askToMove } = createVerifyEmail(parts);

  /** @throws AppError `TOKEN_REVOKED` when the account is gone */
  const getMe = async (actor: Actor): Promise<User> => {
    const user = await stores.users.findUser(actor.userId);
    if (!user) throw new AppError('TOKEN_REVOKED');
    return user;
  };

  const changesOf = (user: User, input: ProfileChanges): UserChanges => ({
    ...(input.username === undefined || input.username === user.username ? {} : { username: input.username }),
    ...(input.email === undefined || input.email === user.email ? {} : { email: input.email, emailVerified: false }),
    ...(input.fullName === undefined || input.fullName === user.fullName ? {} : { fullName: input.fullName }),
  });

  /** Links that went to the old address are of no use any more; the new one gets its own, and the old one is told. */
  const moveMail = async (before: User, after: User): Promise<void> => {
    await stores.mailTokens.dropMailToken(after.id, 'reset');
    sendVerification(after);
    mailer.send(before.email, 'emailChanged', { username: before.username });
  };

  /** With `REQUIRE_EMAIL_VERIFICATION` the address waits for its link: answers then do not tell whether it has an account. */
  const nowOf = (user: User, changes: UserChanges): UserChanges => {
    const { email, emailVerified: _verified, ...rest } = changes;
    if (email === undefined || !config.mail.requireVerification) return changes;
    askToMove(user, email);
    return rest;
  };

  /**
   * Changes the profile. A new e-mail address needs the password (ASVS 5.0 §7.5.1) and is to be verified anew: with
   * `REQUIRE_EMAIL_VERIFICATION` before it is the account's, whose answer then has the old one. The first
   * address of an account that was made without one needs a login of the last ten minutes.
   * @throws AppError `VALIDATION_FAILED`, `INVALID_CREDENTIALS`, `TOO_MANY_FAILURES`, `USERNAME_TAKEN`, `EMAIL_TAKEN`
   */
  const updateMe = async (actor: Actor, input: ProfileChanges): Promise<User> => {
    const user = await getMe(actor);
    const asked = changesOf(user, input);
    if (asked.email !== undefined) {
      if (hasNoAddress(user)) await reauthenticate.byFreshLogin(actor);
      else await reauthenticate.byPassword(user, input.currentPassword);
    }
    const changes = nowOf(user, asked);
    if (Object.keys(changes).length === 0) return user;
    const updated = await stores.users.updateUser(user.id, changes, new Date(clock.now())).catch((error: unknown) => {
      throw takenError(error);
    });
    if (!updated) throw new AppError('TOKEN_REVOKED');
    if (changes.email !== undefined) await moveMail(user, updated);
    const details = { fields: Object.keys(changes).join(' ') };
    audit.record({ action: 'account.changed', actorId: user.id, ownerId: user.id, details });
    logger.info('profile changed', { userId: user.id, fields: Object.keys(changes) });
    return updated;
  };

  /**
   * Deletes the account and everything it owns.
   * @throws AppError `INVALID_CREDENTIALS`, `TOO_MANY_FAILURES`, `FORBIDDEN` (the last active admin)
   */
  const deleteMe = async (actor: Actor, password: string): Promise<void> => {
    const user = await getMe(actor);
    await checkPassword(user, password);
    await deleteAccount(parts, user, actor.userId);
    logger.info('account deleted', { userId: user.id });
  };

  return { getMe, updateMe, deleteMe };
};
