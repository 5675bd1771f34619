import type { User } from '../../models/entities.ts';
import type { AuthParts } from './deps.ts';

/**
 * Finds who logs in under a name as it was typed: a username in any case, or an e-mail address. Where addresses must be verified
 * (`REQUIRE_EMAIL_VERIFICATION`) only a verified one is a name: a signup with an address that has an account already makes one
 * without it, so that a login by an address that was merely typed in would tell which of the two happened.
 * @returns null when nobody has that name
 */
export const createFindByName =
  ({ stores, config }: Pick<AuthParts, 'stores' | 'config'>) =>
  async (name: string): Promise<User | null> => {
    const key = name.toLowerCase();
    const user = await stores.users.findUserByLogin(key);
    if (!user || user.emailVerified || !config.mail.requireVerification) return user;
    return user.username.toLowerCase() === key ? user : null;
  };
