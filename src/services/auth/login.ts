import { AppError, isAppError } from '../../lib/errors.ts';
import type { User } from '../../models/entities.ts';
import type { AuthParts, Client } from './deps.ts';
import { createNewLoginNotice } from './notices.ts';
import { startSession, type Session } from './sessions.ts';

/** As a person types them: a username in any case, or an e-mail address. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

const METHOD = 'password';

/**
 * Signs a user in.
 * An unknown name costs the same hashing and gets the same answer as a wrong password (ASVS 5.0 §6.3.8), and too many of
 * either the same wait; that an account is disabled or not verified is told only to who knows its password.
 * @throws AppError `INVALID_CREDENTIALS`, `TOO_MANY_FAILURES`, `ACCOUNT_DISABLED`, `EMAIL_NOT_VERIFIED`, `RATE_LIMITED`
 */
export const createLogin = (parts: AuthParts) => {
  const { stores, config, passwords, throttle, devices, events, clock, logger, audit } = parts;
  const tellOfNewLogin = createNewLoginNotice(parts);

  // Not the name that was typed: it may be a password in the wrong field.
  const refuse = (reason: string, user: User | null, client: Client): void => {
    logger.info('login refused', { reason, ip: client.ip, ...(user ? { userId: user.id } : {}) });
    const details = { method: METHOD, reason };
    audit.record({ action: 'login.failed', outcome: 'failure', ownerId: user?.id, details });
  };

  const check = async ({ username, password }: Credentials, user: User | null, client: Client) => {
    const { ip, deviceToken } = client;
    const places = throttle.placesOf({ name: username, userId: user?.id ?? null, ip, deviceToken });
    try {
      return await throttle.attempt(places, () => passwords.verify(password, user?.passwordHash ?? null));
    } catch (error) {
      if (isAppError(error, 'TOO_MANY_FAILURES')) refuse('too many failures', user, client);
      throw error;
    }
  };

  /** What keeps somebody out who knows the password. */
  const checkState = (user: User, client: Client): void => {
    const isUnverified = config.mail.requireVerification && !user.emailVerified;
    if (user.status === 'active' && !isUnverified) return;
    refuse(user.status === 'active' ? 'not verified' : 'disabled', user, client);
    throw new AppError(user.status === 'active' ? 'EMAIL_NOT_VERIFIED' : 'ACCOUNT_DISABLED');
  };

  /** Compare-and-set: a password that was changed meanwhile is not set back to this one. */
  const rehash = async (user: User, password: string): Promise<void> => {
    const hash = await passwords.hash(password);
    await stores.users.updatePasswordHash(user.id, user.passwordHash, hash, new Date(clock.now()));
  };

  const authenticated = async (credentials: Credentials, client: Client): Promise<User> => {
    const user = await stores.users.findUserByLogin(credentials.username.toLowerCase());
    const { matches, needsRehash } = await check(credentials, user, client);
    if (!user || !matches) {
      refuse(user ? 'wrong password' : 'unknown user', user, client);
      throw new AppError('INVALID_CREDENTIALS');
    }
    checkState(user, client);
    if (needsRehash) await rehash(user, credentials.password);
    return user;
  };

  /**
   * The account, read once more after the login was stored: a change of the password, or an end of all logins, that came
   * between the check and the login has not ended this one, so that it must end here.
   */
  const confirm = async (user: User, password: string, loginId: string): Promise<User> => {
    const now = new Date(clock.now());
    const updated = await stores.users.updateUser(user.id, { lastLoginAt: now }, now);
    const isSame = updated?.passwordHash === user.passwordHash;
    if (updated?.status === 'active' && (isSame || (await passwords.verify(password, updated.passwordHash)).matches)) {
      return updated;
    }
    await stores.logins.endLogin(user.id, loginId, now);
    events.publish('loginEnded', { ownerId: user.id, loginId });
    throw new AppError('INVALID_CREDENTIALS');
  };

  return async (credentials: Credentials, client: Client): Promise<Session> => {
    const user = await authenticated(credentials, client);
    const session = await startSession(parts, user, client);
    const confirmed = await confirm(user, credentials.password, session.loginId);
    const details = { method: METHOD };
    audit.record({ action: 'login.succeeded', actorId: user.id, ownerId: user.id, targetId: session.loginId, details });
    tellOfNewLogin(user, session.loginId, client);
    logger.info('logged in', { userId: user.id, ip: client.ip });
    const deviceToken = devices.issue(user.id, devices.read(client.deviceToken, user.id));
    return { ...session, user: confirmed, deviceToken };
  };
};
