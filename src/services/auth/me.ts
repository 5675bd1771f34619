import { AppError } from '../../lib/errors.ts';
import type { User } from '../../models/entities.ts';
import type { UserChanges } from '../../models/stores.ts';
import type { Actor } from './actor.ts';
import type { AuthParts } from './deps.ts';
import { takenError } from './signup.ts';

export interface ProfileChanges {
  readonly username?: string | undefined;
  readonly email?: string | undefined;
  readonly fullName?: string | null | undefined;
  readonly currentPassword?: string | undefined;
}

/** What users do with their own account. */
export const createMe = ({ stores, passwords, events, clock, logger }: AuthParts) => {
  /** @throws AppError `TOKEN_REVOKED` when the account is gone */
  const getMe = async (actor: Actor): Promise<User> => {
    const user = await stores.users.findUser(actor.userId);
    if (!user) throw new AppError('TOKEN_REVOKED');
    return user;
  };

  const checkPassword = async (user: User, password: string): Promise<void> => {
    const { matches } = await passwords.verify(password, user.passwordHash);
    if (matches) return;
    logger.info('password check refused', { userId: user.id });
    throw new AppError('INVALID_CREDENTIALS', { detail: 'The password is wrong' });
  };

  const changesOf = (user: User, input: ProfileChanges): UserChanges => ({
    ...(input.username === undefined || input.username === user.username ? {} : { username: input.username }),
    ...(input.email === undefined || input.email === user.email ? {} : { email: input.email, emailVerified: false }),
    ...(input.fullName === undefined || input.fullName === user.fullName ? {} : { fullName: input.fullName }),
  });

  /**
   * Changes the profile. A new e-mail address needs the password (ASVS 5.0 §7.5.1) and is not verified.
   * @throws AppError `VALIDATION_FAILED`, `INVALID_CREDENTIALS`, `USERNAME_TAKEN`, `EMAIL_TAKEN`
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
    logger.info('profile changed', { userId: user.id, fields: Object.keys(changes) });
    return updated;
  };

  /**
   * Deletes the account and everything it owns.
   * @throws AppError `INVALID_CREDENTIALS`
   */
  const deleteMe = async (actor: Actor, password: string): Promise<void> => {
    const user = await getMe(actor);
    await checkPassword(user, password);
    await stores.users.deleteUser(user.id);
    // Only now: who checks the account again on hearing it must find it gone.
    events.publish('accountEnded', { ownerId: actor.ownerId });
    logger.info('account deleted', { userId: user.id });
  };

  return { getMe, updateMe, deleteMe };
};
