import { AppError } from '../../lib/errors.ts';
import type { User } from '../../models/entities.ts';
import type { Actor } from './actor.ts';
import type { AuthParts } from './deps.ts';
import { endLogins } from './endLogins.ts';

export interface PasswordChange {
  readonly currentPassword: string;
  readonly newPassword: string;
}

const wrongPassword = (): AppError => new AppError('INVALID_CREDENTIALS', { detail: 'The password is wrong' });

/** Checks the password of who is signed in already, for what must not be done with a stolen token alone. */
export const createPasswordCheck =
  ({ passwords, throttle, logger, audit }: Pick<AuthParts, 'passwords' | 'throttle' | 'logger' | 'audit'>) =>
  /** @throws AppError `INVALID_CREDENTIALS`, `TOO_MANY_FAILURES`, `RATE_LIMITED` */
  async (user: User, password: string): Promise<void> => {
    const { matches } = await throttle.attempt(throttle.placesOfUser(user.id), () =>
      passwords.verify(password, user.passwordHash, 'known'),
    );
    if (matches) return;
    logger.info('password check refused', { userId: user.id });
    audit.record({ action: 'password.refused', outcome: 'failure', actorId: user.id, ownerId: user.id });
    throw wrongPassword();
  };

/**
 * Changes the password of who knows the current one. Every other login ends; API keys stay, because programs use them and
 * they were not made of the password. A link to reset it that is under way is void.
 * @throws AppError `VALIDATION_FAILED` (the new password), `INVALID_CREDENTIALS`, `TOO_MANY_FAILURES`, `RATE_LIMITED`
 */
export const createChangePassword = (parts: AuthParts) => {
  const { stores, passwords, rules, clock, logger, audit, mailer } = parts;
  const checkPassword = createPasswordCheck(parts);

  return async (actor: Actor, { currentPassword, newPassword }: PasswordChange): Promise<void> => {
    const user = await stores.users.findUser(actor.userId);
    if (!user) throw new AppError('TOKEN_REVOKED');
    rules.check(newPassword, 'newPassword', user);
    await checkPassword(user, currentPassword);
    const hash = await passwords.hash(newPassword, 'known');
    const isMine = await stores.users.updatePasswordHash(user.id, user.passwordHash, hash, new Date(clock.now()));
    // Somebody else changed it in between: the current one is another by now.
    if (!isMine) throw wrongPassword();
    for (const kind of ['reset', 'move'] as const) await stores.mailTokens.dropMailToken(user.id, kind);
    const logins = await endLogins(parts, user.id, { except: actor.loginId, reason: 'password changed' });
    await audit.recordNow({
      action: 'password.changed',
      actorId: user.id,
      ownerId: user.id,
      details: { method: 'password' },
    });
    mailer.send(user.email, 'passwordChanged', { username: user.username });
    logger.info('password changed', { userId: user.id, logins });
  };
};
