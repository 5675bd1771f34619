import { AppError } from '../../lib/errors.ts';
import type { User } from '../../models/entities.ts';
import type { Actor } from './actor.ts';
import { createPasswordCheck } from './changePassword.ts';
import type { AuthParts } from './deps.ts';

/** How long a login stands for a password that its account does not have. */
const FRESH_LOGIN_MS = 10 * 60_000;

/** Ways to show once more that it is the owner who asks, for what must not be done with a stolen token alone (ASVS 5.0 §7.5.1). */
export const createReauthentication = (parts: AuthParts) => {
  const { stores, clock } = parts;
  const checkPassword = createPasswordCheck(parts);

  /** @throws AppError `VALIDATION_FAILED`, `INVALID_CREDENTIALS`, `TOO_MANY_FAILURES`, `RATE_LIMITED` */
  const byPassword = async (user: User, currentPassword: string | undefined): Promise<void> => {
    if (currentPassword === undefined) {
      const errors = [{ path: 'currentPassword', message: 'is needed for this change' }];
      throw new AppError('VALIDATION_FAILED', { errors });
    }
    await checkPassword(user, currentPassword);
  };

  /** @throws AppError `INVALID_CREDENTIALS` when the login is older than ten minutes */
  const byFreshLogin = async ({ loginId }: Actor): Promise<void> => {
    const login = loginId === null ? null : await stores.logins.findLogin(loginId);
    if (login && clock.now() - login.createdAt.getTime() < FRESH_LOGIN_MS) return;
    throw new AppError('INVALID_CREDENTIALS', { detail: 'Sign in again first, to show that it is you' });
  };

  return { byPassword, byFreshLogin };
};
