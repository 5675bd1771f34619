import { AppError } from '../../lib/errors.ts';
import type { User } from '../../models/entities.ts';
import { LastAdminError } from '../../models/errors.ts';
import type { AuthDependencies } from './deps.ts';

/** A store's «the last admin» as clients know it; anything else as it is. */
export const lastAdminError = (error: unknown): unknown =>
  error instanceof LastAdminError
    ? new AppError('FORBIDDEN', { detail: 'The last active admin must stay one', cause: error })
    : error;

type Parts = Pick<AuthDependencies, 'events' | 'audit' | 'clock'> & {
  readonly stores: Pick<AuthDependencies['stores'], 'users'>;
};

/**
 * Deletes an account with all that it owns. What it did stays in the audit log, under an id that means nothing any more and
 * without address and device.
 * @throws AppError `FORBIDDEN` for the last active admin
 */
export const deleteAccount = async (parts: Parts, user: User, actorId: string): Promise<void> => {
  const { stores, events, audit, clock } = parts;
  if (user.role === 'admin') {
    // By this write two admins who delete each other cannot both succeed.
    const gone = { role: 'user', status: 'disabled' } as const;
    await stores.users.updateAccount(user.id, gone, new Date(clock.now())).catch((error: unknown) => {
      throw lastAdminError(error);
    });
  }
  // Written now, what still waits is stripped with the rest.
  await audit.flush();
  await stores.users.deleteUser(user.id);
  // Only now: who checks the account again on hearing it must find it gone.
  events.publish('accountEnded', { ownerId: user.id });
  const isAnonymous = actorId === user.id;
  await audit.recordNow({ action: 'account.deleted', actorId, ownerId: user.id, isAnonymous });
};
