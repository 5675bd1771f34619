import type { User } from '../../models/entities.ts';
import type { AuthParts } from './deps.ts';
import { invalidLink } from './mailTokens.ts';
import { createMoveEmail } from './moveEmail.ts';

/** How users show that an address is theirs. */
export const createVerifyEmail = (parts: AuthParts) => {
  const { stores, clock, logger, audit, mailer, mailTokens, mailLimit } = parts;
  const { askToMove, followMove } = createMoveEmail(parts);

  /** Sends the link behind the answer; of too many mails to one account no more are sent. */
  const sendVerification = (user: User): void =>
    mailer.behind(async () => {
      if (!(await mailLimit.hit(`verify:${user.id}`)).allowed) return;
      const link = mailer.link('verify', await mailTokens.issueToken('verify', user));
      mailer.send(user.email, 'verifyEmail', { username: user.username, link });
    });

  /** Sends the link again, if the address is of an account and not verified; to the caller it is all the same. */
  const resendVerification = async (email: string): Promise<void> => {
    const user = await stores.users.findUserByLogin(email);
    if (user?.status === 'active' && !user.emailVerified) sendVerification(user);
  };

  /** @throws AppError `TOKEN_INVALID`, also when the account has another address by now */
  const verifyEmail = async (token: string): Promise<void> => {
    if (await followMove(token)) return;
    const { ownerId, email } = await mailTokens.spendToken('verify', token);
    if (!(await stores.users.verifyEmail(ownerId, email, new Date(clock.now())))) throw invalidLink();
    audit.record({ action: 'email.verified', actorId: ownerId, ownerId });
    logger.info('e-mail address verified', { userId: ownerId });
  };

  return { sendVerification, resendVerification, verifyEmail, askToMove };
};
