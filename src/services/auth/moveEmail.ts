import type { User } from '../../models/entities.ts';
import { DuplicateKeyError } from '../../models/errors.ts';
import type { AuthParts } from './deps.ts';
import { invalidLink } from './mailTokens.ts';
import { hasNoAddress } from './oidc/noAddress.ts';

/** How an account gets another address where only verified ones count (`REQUIRE_EMAIL_VERIFICATION`): it has the old one until the link was followed. */
export const createMoveEmail = ({ stores, clock, logger, audit, mailer, mailTokens, mailLimit }: AuthParts) => {
  /**
   * Sends a link to the new address, behind the answer; to one that has an account a notice instead, which the caller
   * cannot tell. Of too many mails no more are sent.
   */
  const askToMove = (user: User, email: string): void =>
    mailer.behind(async () => {
      const owner = await stores.users.findUserByLogin(email);
      if (!(await mailLimit.hit(owner ? `signup:${owner.id}` : `verify:${user.id}`)).allowed) return;
      if (owner) {
        mailer.send(owner.email, 'addressInUse', { username: owner.username });
        return;
      }
      const link = mailer.link('verify', await mailTokens.issueToken('move', { id: user.id, email }));
      mailer.send(email, 'verifyEmail', { username: user.username, link });
    });

  const move = async (before: User, email: string): Promise<void> => {
    const now = new Date(clock.now());
    const moved = await stores.users
      .updateUser(before.id, { email, emailVerified: true }, now)
      .catch((error: unknown) => {
        // Somebody else has it by now; no more is told than of any other link that is no good.
        if (error instanceof DuplicateKeyError) return null;
        throw error;
      });
    if (!moved) throw invalidLink();
    await stores.mailTokens.dropMailToken(before.id, 'reset');
    if (!hasNoAddress(before)) mailer.send(before.email, 'emailChanged', { username: before.username });
  };

  /** Follows such a link. @returns whether it was one @throws AppError `TOKEN_INVALID` when the account cannot have the address */
  const followMove = async (token: string): Promise<boolean> => {
    const spent = await mailTokens.trySpend('move', token);
    if (!spent) return false;
    const { ownerId, email } = spent;
    const user = await stores.users.findUser(ownerId);
    if (user?.status !== 'active') throw invalidLink();
    await move(user, email);
    audit.record({ action: 'account.changed', actorId: ownerId, ownerId, details: { fields: 'email' } });
    audit.record({ action: 'email.verified', actorId: ownerId, ownerId });
    logger.info('e-mail address moved', { userId: ownerId });
    return true;
  };

  return { askToMove, followMove };
};
