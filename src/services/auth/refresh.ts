import { AppError } from '../../lib/errors.ts';
import type { Login } from '../../models/entities.ts';
import type { AuthParts } from './deps.ts';
import { idleEnd, toSession, type LoginWithToken, type Session } from './sessions.ts';

/** How long the token that was just spent still answers with its child: lost answers and racing tabs are no theft. */
const GRACE_MS = 10_000;

/**
 * Exchanges a refresh token for its child and a new access token (OAuth 2.0 Security BCP, RFC 9700 §4.14.2).
 * The newest token rotates, by compare-and-set; its immediate parent gets the same child again within 10 s; a genuine older
 * one was stolen or copied, so the whole login ends. A forged one does no harm.
 * @throws AppError `TOKEN_INVALID` (not ours), `TOKEN_REVOKED` (the login has ended, or just did)
 */
export const createRefresh = (parts: AuthParts) => {
  const { stores, clock, logger, events, audit, refreshTokens } = parts;

  const findLive = async (loginId: string): Promise<Login> => {
    const login = await stores.logins.findLogin(loginId);
    const now = clock.now();
    if (!login || login.endedAt !== null || login.idleExpiresAt.getTime() <= now || login.expiresAt.getTime() <= now) {
      throw new AppError('TOKEN_REVOKED');
    }
    return login;
  };

  const rotate = async (login: Login): Promise<LoginWithToken | null> => {
    const now = clock.now();
    const generation = login.generation + 1;
    const { token, hash } = refreshTokens.issue(login.id, generation);
    const next = { tokenHash: hash, rotatedAt: new Date(now), idleExpiresAt: idleEnd(now, login.expiresAt) };
    const isMine = await stores.logins.rotateLogin(login.id, login.generation, next);
    return isMine ? { login: { ...login, ...next, generation }, token } : null;
  };

  /** The child that somebody made of this token's generation a moment ago; null when it is not fresh. */
  const recentChild = (login: Login, generation: number): LoginWithToken | null => {
    const isParent = generation === login.generation - 1;
    if (!isParent || clock.now() - login.rotatedAt.getTime() > GRACE_MS) return null;
    const token = refreshTokens.rederive({ loginId: login.id, generation: login.generation }, login.tokenHash);
    return token === null ? null : { login, token };
  };

  const endReused = async (login: Login): Promise<never> => {
    const hasEnded = await stores.logins.endLogin(login.ownerId, login.id, new Date(clock.now()));
    if (hasEnded) events.publish('loginEnded', { ownerId: login.ownerId, loginId: login.id });
    await audit.recordNow({
      action: 'refresh.reused',
      outcome: 'failure',
      ownerId: login.ownerId,
      targetId: login.id,
      details: { ended: String(hasEnded) },
    });
    logger.warn('spent refresh credential used again: login ended', { userId: login.ownerId, loginId: login.id });
    throw new AppError('TOKEN_REVOKED');
  };

  const exchange = async (token: string): Promise<LoginWithToken> => {
    const claim = refreshTokens.read(token);
    if (!claim) throw new AppError('TOKEN_INVALID');
    const before = await findLive(claim.loginId);
    const isNewest = refreshTokens.hashOf(token) === before.tokenHash;
    const rotated = isNewest ? await rotate(before) : null;
    if (rotated) return rotated;
    // Someone else rotated it first, now or earlier: the login is read as they left it.
    const login = isNewest ? await findLive(claim.loginId) : before;
    // A generation that is still to come means that the database lost writes, not that a token was stolen.
    if (claim.generation >= login.generation) throw new AppError('TOKEN_REVOKED');
    return recentChild(login, claim.generation) ?? endReused(login);
  };

  return async (token: string): Promise<Session> => {
    const child = await exchange(token);
    const user = await stores.users.findUser(child.login.ownerId);
    if (user?.status !== 'active') throw new AppError('TOKEN_REVOKED');
    return toSession(parts.accessTokens, user, child);
  };
};
