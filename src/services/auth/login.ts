import { AppError } from '../../lib/errors.ts';
import type { User } from '../../models/entities.ts';
import type { AuthParts, Client } from './deps.ts';
import { startSession, type Session } from './sessions.ts';

/** As a person types them: a username in any case, or an e-mail address. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/**
 * Signs a user in.
 * An unknown name costs the same hashing and gets the same answer as a wrong password (ASVS 5.0 §6.3.8); that an account is
 * disabled is told only to who knows its password.
 * @throws AppError `INVALID_CREDENTIALS`, `ACCOUNT_DISABLED`, `RATE_LIMITED`
 */
export const createLogin = (parts: AuthParts) => {
  const { stores, passwords, clock, logger } = parts;

  const refuse = (reason: string, user: User | null, client: Client): void =>
    logger.info('login refused', { reason, ip: client.ip, ...(user ? { userId: user.id } : {}) });

  const authenticated = async ({ username, password }: Credentials, client: Client): Promise<User> => {
    const user = await stores.users.findUserByLogin(username.toLowerCase());
    const { matches, needsRehash } = await passwords.verify(password, user?.passwordHash ?? null);
    if (!user || !matches) {
      refuse(user ? 'wrong password' : 'unknown user', user, client);
      throw new AppError('INVALID_CREDENTIALS');
    }
    if (user.status === 'disabled') {
      refuse('disabled', user, client);
      throw new AppError('ACCOUNT_DISABLED');
    }
    const now = new Date(clock.now());
    const rehashed = needsRehash ? { passwordHash: await passwords.hash(password) } : {};
    const updated = await stores.users.updateUser(user.id, { lastLoginAt: now, ...rehashed }, now);
    if (!updated) throw new AppError('INVALID_CREDENTIALS');
    return updated;
  };

  return async (credentials: Credentials, client: Client): Promise<Session> => {
    const user = await authenticated(credentials, client);
    const session = await startSession(parts, user, client);
    logger.info('logged in', { userId: user.id, ip: client.ip });
    return session;
  };
};
