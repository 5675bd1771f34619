import type { MailToken, User } from '../../models/entities.ts';
import type { AuthParts } from './deps.ts';
import { endEarlierAccess } from './endEarlierAccess.ts';
import { endLogins } from './endLogins.ts';
import { invalidLink } from './mailTokens.ts';

/** The way back in for who forgot the password and reads the account's mail. */
export const createResetPassword = (parts: AuthParts) => {
  const { stores, passwords, rules, clock, logger, audit, mailer, mailTokens, mailLimit } = parts;

  /** Sends a link, if the address is of an active account; to the caller it is all the same. */
  const forgotPassword = async (email: string): Promise<void> => {
    const user = await stores.users.findUserByLogin(email);
    if (user?.status !== 'active') return;
    mailer.behind(async () => {
      if (!(await mailLimit.hit(`reset:${user.id}`)).allowed) return;
      const link = mailer.link('reset', await mailTokens.issueToken('reset', user));
      mailer.send(user.email, 'resetPassword', { username: user.username, link });
      audit.record({ action: 'password.reset-asked', ownerId: user.id });
    });
  };

  /** The rules once more, with the account's names, which the link alone tells: it stays good then, too. */
  const checkNames = async (newPassword: string, user: User, spent: MailToken): Promise<void> => {
    try {
      rules.check(newPassword, 'newPassword', user);
    } catch (error) {
      await stores.mailTokens.putMailToken(spent);
      throw error;
    }
  };

  /**
   * Sets a new password by a mail's link and ends every login. The address is verified by that, too: if it was before, API
   * keys, linked identities and the second factor stay, else they end, since whoever made them showed to be nobody.
   * @throws AppError `VALIDATION_FAILED` (the password; the link stays good), `TOKEN_INVALID`, `RATE_LIMITED`
   */
  const resetPassword = async (token: string, newPassword: string): Promise<void> => {
    rules.check(newPassword, 'newPassword');
    // Before the link is spent: when there are too many logins at once, it can be followed again.
    const hash = await passwords.hash(newPassword);
    const spent = await mailTokens.spendToken('reset', token);
    const { ownerId, email } = spent;
    const user = await stores.users.findUser(ownerId);
    const now = new Date(clock.now());
    if (user?.status !== 'active' || user.email !== email) throw invalidLink();
    await checkNames(newPassword, user, spent);
    if (!(await stores.users.updatePasswordHash(ownerId, user.passwordHash, hash, now))) throw invalidLink();
    await stores.mailTokens.dropMailToken(ownerId, 'move');
    const isFirstProof = !user.emailVerified;
    if (isFirstProof) await endEarlierAccess(parts, user);
    await stores.users.verifyEmail(ownerId, email, now);
    const logins = await endLogins(parts, ownerId, { except: null, reason: 'password reset' });
    // What a login made until it ended; before, too, so that a crash in between leaves no verified account with any of it.
    if (isFirstProof) await endEarlierAccess(parts, user);
    await audit.recordNow({ action: 'password.changed', actorId: ownerId, ownerId, details: { method: 'mail' } });
    mailer.send(user.email, 'passwordChanged', { username: user.username, isFirstProof });
    logger.info('password reset', { userId: ownerId, logins, isFirstProof });
  };

  return { forgotPassword, resetPassword };
};
