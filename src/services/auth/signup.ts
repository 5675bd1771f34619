import { AppError } from '../../lib/errors.ts';
import { newId } from '../../lib/ids.ts';
import type { User } from '../../models/entities.ts';
import { DuplicateKeyError } from '../../models/errors.ts';
import type { AuthParts, Client } from './deps.ts';
import { startSession, type Session } from './sessions.ts';
import { createVerifyEmail } from './verifyEmail.ts';

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

/** An address that no mail reaches (RFC 2606), for an account that was asked for with somebody else's. */
const nobodysAddress = (userId: string): string => `${userId}@signup.invalid`;

/**
 * Makes an account of the role `user` and signs it in, or with `REQUIRE_EMAIL_VERIFICATION` (→ null) sends a link. Then an
 * address that has an account is answered like any other, its owner is told, and an account is made all the same, which nobody
 * can ever verify: else the username being free, or a login, would tell.
 * @throws AppError `VALIDATION_FAILED` (the password), `USERNAME_TAKEN`, `EMAIL_TAKEN`, `RATE_LIMITED`
 */
export const createSignup = (parts: AuthParts) => {
  const { stores, config, clock, logger, audit, mailer, mailLimit, devices } = parts;
  const { sendVerification } = createVerifyEmail(parts);

  const toUser = async (account: NewAccount, lastLoginAt: Date | null): Promise<User> => {
    parts.rules.check(account.password, 'password', account);
    const passwordHash = await parts.passwords.hash(account.password);
    const now = new Date(clock.now());
    return {
      id: newId(),
      username: account.username,
      email: account.email,
      emailVerified: false,
      fullName: account.fullName ?? null,
      role: 'user',
      status: 'active',
      passwordHash,
      mfaEnabled: false,
      createdAt: now,
      updatedAt: now,
      lastLoginAt,
    };
  };

  const store = async (user: User): Promise<void> => {
    await stores.users.createUser(user).catch((error: unknown) => {
      throw takenError(error);
    });
    logger.info('account made', { userId: user.id });
  };

  const recordCreated = (ownerId: string, targetId?: string): void => {
    const details = { method: 'signup' };
    audit.record({ action: 'account.created', actorId: ownerId, ownerId, targetId, details });
  };

  const tellOwner = (owner: User): void =>
    mailer.behind(async () => {
      if (!(await mailLimit.hit(`signup:${owner.id}`)).allowed) return;
      mailer.send(owner.email, 'addressInUse', { username: owner.username });
    });

  const signUpByMail = async (account: NewAccount): Promise<null> => {
    const user = await toUser(account, null);
    const owner = await stores.users.findUserByLogin(user.email);
    await store(owner ? { ...user, email: nobodysAddress(user.id) } : user);
    recordCreated(user.id);
    if (owner) tellOwner(owner);
    else sendVerification(user);
    return null;
  };

  return async (account: NewAccount, client: Client): Promise<Session | null> => {
    if (config.mail.requireVerification) return signUpByMail(account);
    const user = await toUser(account, new Date(clock.now()));
    await store(user);
    const session = await startSession(parts, user, client);
    recordCreated(user.id, session.loginId);
    sendVerification(user);
    return { ...session, deviceToken: devices.issue(user.id, null) };
  };
};
