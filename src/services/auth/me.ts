import { AppError } from '../../lib/errors.ts';
import type { User } from '../../models/entities.ts';
import type { UserChanges } from '../../models/stores.ts';
import type { Actor } from './actor.ts';
import { createPasswordCheck } from './changePassword.ts';
import type { AuthParts } from './deps.ts';
import { deleteAccount } from './deleteAccount.ts';
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
  const { stores, clock, logger, audit, mailer } = parts;
  const checkPassword = createPasswordCheck(parts);
  const { sendVerification } = createVerifyEmail(parts);

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

  /**
   * Changes the profile. A new e-mail address needs the password (ASVS 5.0 §7.5.1) and is to be verified anew.
   * @throws AppError `VALIDATION_FAILED`, `INVALID_CREDENTIALS`, `TOO_MANY_FAILURES`, `USERNAME_TAKEN`, `EMAIL_TAKEN`
   */
  const updateMe = async (actor: Actor, input: ProfileChanges): Promise<User> => {
    const user = await getMe(actor);
    const changes = changesOf(user, input);
    if (Object.keys(changes).length === 0) return user;
    if (changes.email !== undefined) {
      if (input.currentPassword === undefined) {
        const message = 'is needed to change the e-mail address';
        throw new AppError('VALIDATION_FAILED', { errors: [{ path: 'currentPassword', message }] });
      }
      await checkPassword(user, input.currentPassword);
    }
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
