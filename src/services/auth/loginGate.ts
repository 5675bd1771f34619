import { AppError } from '../../lib/errors.ts';
import type { User } from '../../models/entities.ts';
import type { AuthParts, Client } from './deps.ts';

/** Somebody who wants in as a user. */
export interface LoginAttempt {
  /** As in `LoginProof`. */
  readonly method: string;
  /** Null: nobody has that name. */
  readonly user: User | null;
  readonly client: Client;
}

/** What every way of logging in does with those who may not. */
export const createLoginGate = ({ config, logger, audit }: Pick<AuthParts, 'config' | 'logger' | 'audit'>) => {
  /** Writes down that somebody was refused. Not the name that was typed: it may be a password in the wrong field. */
  const refuse = (reason: string, { method, user, client }: LoginAttempt): void => {
    logger.info('login refused', { reason, ip: client.ip, ...(user ? { userId: user.id } : {}) });
    audit.record({ action: 'login.failed', outcome: 'failure', ownerId: user?.id, details: { method, reason } });
  };

  return {
    refuse,
    /**
     * What keeps somebody out who proved who they are.
     * @throws AppError `ACCOUNT_DISABLED`, `EMAIL_NOT_VERIFIED`
     */
    checkState: (user: User, method: string, client: Client): void => {
      const isUnverified = config.mail.requireVerification && !user.emailVerified;
      if (user.status === 'active' && !isUnverified) return;
      refuse(user.status === 'active' ? 'not verified' : 'disabled', { method, user, client });
      throw new AppError(user.status === 'active' ? 'EMAIL_NOT_VERIFIED' : 'ACCOUNT_DISABLED');
    },
  };
};
