import { AppError } from '../../lib/errors.ts';
import type { AuthParts } from './deps.ts';

/** The login that is to end, and whose it is. */
interface LoginRef {
  readonly ownerId: string;
  readonly loginId: string | null;
}

/** The ways in which logins end at their owner's wish. */
export const createLogout = ({ stores, events, clock, logger, audit, refreshTokens }: AuthParts) => {
  const endOne = async (ownerId: string, loginId: string | null): Promise<string[]> => {
    if (loginId === null) return [];
    return (await stores.logins.endLogin(ownerId, loginId, new Date(clock.now()))) ? [loginId] : [];
  };

  /** Ends the login, or with `all` every login of its owner. Again is fine: what has ended stays so. */
  const logout = async ({ ownerId, loginId }: LoginRef, all: boolean): Promise<void> => {
    const ended = all
      ? await stores.logins.endLogins(ownerId, new Date(clock.now()), null)
      : await endOne(ownerId, loginId);
    for (const id of ended) {
      events.publish('loginEnded', { ownerId, loginId: id });
      const details = { reason: 'logout' };
      audit.record({ action: 'login.ended', actorId: ownerId, ownerId, targetId: id, details });
    }
    logger.info('logged out', { userId: ownerId, logins: ended.length });
  };

  /**
   * The same for a client whose access token has run out, by its refresh token.
   * @throws AppError `TOKEN_INVALID`, `TOKEN_REVOKED`
   */
  const logoutByRefreshToken = async (token: string, all: boolean): Promise<void> => {
    const claim = refreshTokens.read(token);
    if (!claim) throw new AppError('TOKEN_INVALID');
    const login = await stores.logins.findLogin(claim.loginId);
    if (!login || login.endedAt !== null) throw new AppError('TOKEN_REVOKED');
    await logout({ ownerId: login.ownerId, loginId: login.id }, all);
  };

  return { logout, logoutByRefreshToken };
};
