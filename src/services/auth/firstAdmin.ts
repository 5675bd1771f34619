import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { newId } from '../../lib/ids.ts';
import { readOrCreateSecret } from '../../lib/secretFile.ts';
import type { User } from '../../models/entities.ts';
import { DuplicateKeyError } from '../../models/errors.ts';
import type { AuthParts } from './deps.ts';

/** 144 random bits; the ending satisfies the composition rule whatever they are. */
const newPassword = (): string => `${randomBytes(18).toString('base64url')}aA1`;

/**
 * Makes the first admin, when there is none: from `ADMIN_*`, or in development with a password of its own in
 * `DATA_DIR/admin-password` (0600, never in a log). In production without a password there is none.
 * Nodes that start together make one. An account that someone else made under that name is left as it is, and an
 * `ADMIN_PASSWORD` that breaks the rules for passwords makes no admin: both are said in the log.
 */
export const createFirstAdmin = (parts: AuthParts) => {
  const { stores, config, passwords, rules, clock, logger } = parts;
  const { username, email, password: configured } = config.auth.admin;
  const file = join(config.database.dataDir, 'admin-password');

  const choosePassword = async (): Promise<string | null> => {
    if (configured !== null) {
      const problems = rules.problemsOf(configured, { username, email });
      if (problems.length > 0) logger.error(`no admin made: ADMIN_PASSWORD ${problems.join(', ')}`);
      return problems.length > 0 ? null : configured;
    }
    if (!config.isProduction) return readOrCreateSecret(file, newPassword);
    logger.warn('there is no admin: set ADMIN_PASSWORD to make one');
    return null;
  };

  const store = async (password: string): Promise<void> => {
    const now = new Date(clock.now());
    const admin: User = {
      id: newId(),
      username,
      email,
      emailVerified: true,
      fullName: null,
      role: 'admin',
      status: 'active',
      passwordHash: await passwords.hash(password),
      mfaEnabled: false,
      createdAt: now,
      updatedAt: now,
      lastLoginAt: null,
    };
    await stores.users.createUser(admin);
    logger.info('first admin made', { username, ...(configured === null ? { file } : {}) });
  };

  return async (): Promise<void> => {
    if (await stores.users.hasAdmin()) return;
    const password = await choosePassword();
    if (password === null) return;
    try {
      await store(password);
    } catch (error) {
      if (!(error instanceof DuplicateKeyError)) throw error;
      if (await stores.users.hasAdmin()) return;
      logger.warn('no admin made: its name or e-mail address belongs to another account', { username });
    }
  };
};
