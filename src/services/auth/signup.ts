import { AppError } from '../../lib/errors.ts';
import { newId } from '../../lib/ids.ts';
import type { User } from '../../models/entities.ts';
import { DuplicateKeyError } from '../../models/errors.ts';
import type { AuthParts, Client } from './deps.ts';
import { startSession, type Session } from './sessions.ts';

export interface NewAccount {
  readonly username: string;
  readonly email: string;
  readonly password: string;
  readonly fullName?: string | undefined;
}

/** A store's «taken» as the code that clients know; anything else as it is. */
export const takenError = (error: unknown): unknown => {
  if (!(error instanceof DuplicateKeyError)) return error;
  return new AppError(error.field === 'email' ? 'EMAIL_TAKEN' : 'USERNAME_TAKEN', { cause: error });
};

/**
 * Makes an account of the role `user` and signs it in.
 * @throws AppError `VALIDATION_FAILED` (the password), `USERNAME_TAKEN`, `EMAIL_TAKEN`, `RATE_LIMITED`
 */
export const createSignup =
  (parts: AuthParts) =>
  async (account: NewAccount, client: Client): Promise<Session> => {
    parts.rules.check(account.password, 'password');
    const passwordHash = await parts.passwords.hash(account.password);
    const now = new Date(parts.clock.now());
    const user: User = {
      id: newId(),
      username: account.username,
      email: account.email,
      emailVerified: false,
      fullName: account.fullName ?? null,
      role: 'user',
      status: 'active',
      passwordHash,
      createdAt: now,
      updatedAt: now,
      lastLoginAt: now,
    };
    await parts.stores.users.createUser(user).catch((error: unknown) => {
      throw takenError(error);
    });
    parts.logger.info('account made', { userId: user.id });
    return startSession(parts, user, client);
  };
