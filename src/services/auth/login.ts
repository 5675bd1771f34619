import { AppError, isAppError } from '../../lib/errors.ts';
import type { User } from '../../models/entities.ts';
import type { AuthParts, Client } from './deps.ts';
import { createFindByName } from './findByName.ts';
import { createLoginGate } from './loginGate.ts';
import type { Session } from './sessions.ts';

/** As a person types them: a username in any case, or an e-mail address. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

const METHOD = 'password';

/**
 * Signs a user in.
 * An unknown name costs the same hashing and gets the same answer as a wrong password (ASVS 5.0 §6.3.8), and too many of
 * either the same wait; that an account is disabled, not verified or has a second factor is told only to who knows its password.
 * @throws AppError `INVALID_CREDENTIALS`, `TOO_MANY_FAILURES`, `ACCOUNT_DISABLED`, `EMAIL_NOT_VERIFIED`, `MFA_REQUIRED`,
 *   `RATE_LIMITED`
 */
export const createLogin = (parts: AuthParts) => {
  const { stores, passwords, throttle, devices, clock, completeLogin } = parts;
  const findByName = createFindByName(parts);
  const { refuse, checkState } = createLoginGate(parts);

  const check = async ({ username, password }: Credentials, user: User | null, client: Client) => {
    const { ip, deviceToken } = client;
    const lane = devices.read(deviceToken, user?.id ?? '') === null || !user ? 'open' : 'known';
    const places = throttle.placesOf({ name: username, userId: user?.id ?? null, ip, deviceToken });
    try {
      return await throttle.attempt(places, () => passwords.verify(password, user?.passwordHash ?? null, lane));
    } catch (error) {
      if (isAppError(error, 'TOO_MANY_FAILURES')) refuse('too many failures', { method: METHOD, user, client });
      throw error;
    }
  };

  /** Compare-and-set: a password that was changed meanwhile is not set back to this one. */
  const rehash = async (user: User, password: string): Promise<User> => {
    const passwordHash = await passwords.hash(password, 'known');
    const at = new Date(clock.now());
    const isSet = await stores.users.updatePasswordHash(user.id, user.passwordHash, passwordHash, at);
    return isSet ? { ...user, passwordHash } : user;
  };

  const authenticated = async (credentials: Credentials, client: Client): Promise<User> => {
    const user = await findByName(credentials.username);
    const { matches, needsRehash } = await check(credentials, user, client);
    if (!user || !matches) {
      refuse(user ? 'wrong password' : 'unknown user', { method: METHOD, user, client });
      throw new AppError('INVALID_CREDENTIALS');
    }
    checkState(user, METHOD, client);
    return needsRehash ? rehash(user, credentials.password) : user;
  };

  return async (credentials: Credentials, client: Client): Promise<Session> => {
    const user = await authenticated(credentials, client);
    const isStillGood = async ({ passwordHash }: User): Promise<boolean> =>
      passwordHash === user.passwordHash ||
      (await passwords.verify(credentials.password, passwordHash, 'known')).matches;
    return completeLogin(user, { method: METHOD, hasSecondFactor: false, isStillGood }, client);
  };
};
