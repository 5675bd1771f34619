import type { Clock } from '../../lib/clock.ts';
import { AppError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { readTimeCursor, toTimePage } from '../../lib/timeCursor.ts';
import type { User } from '../../models/entities.ts';
import type { AccountChanges, Stores } from '../../models/stores.ts';
import type { Page } from '../../schemas/common.ts';
import type { Audit, AuditQuery } from '../audit/index.ts';
import { deleteAccount, disableSecondFactor, lastAdminError, type Actor } from '../auth/index.ts';
import type { EventBus } from '../events.ts';
import type { Mailer } from '../mail/index.ts';
import { createStats } from './stats.ts';

export interface AdminOptions {
  readonly stores: Pick<Stores, 'users' | 'logins' | 'apiKeys' | 'secondFactors' | 'chats' | 'usage'>;
  readonly events: EventBus;
  readonly audit: Audit;
  readonly mailer: Mailer;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface ListUsers {
  readonly q?: string | undefined;
  readonly role?: User['role'] | undefined;
  readonly status?: User['status'] | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export type UserChangesByAdmin = { readonly [Field in keyof AccountChanges]?: AccountChanges[Field] | undefined };

const LIST = 'users';
const FIELDS = ['fullName', 'emailVerified', 'role', 'status'] as const;

/** What of the wanted changes is one. */
const changesOf = (user: User, input: UserChangesByAdmin): AccountChanges =>
  Object.fromEntries(
    FIELDS.filter((field) => input[field] !== undefined && input[field] !== user[field]).map((field) => [
      field,
      input[field],
    ]),
  );

/** For the audit log: what was changed, and from what to what where that is nobody's name. */
const describe = (user: User, changes: AccountChanges): Record<string, string> => ({
  fields: Object.keys(changes).join(' '),
  ...(changes.role === undefined ? {} : { role: `${user.role} → ${changes.role}` }),
  ...(changes.status === undefined ? {} : { status: `${user.status} → ${changes.status}` }),
});

/** What admins do with the accounts of others. Chats of others are nobody's business here: there is no way to read them. */
export const createAdminService = (options: AdminOptions) => {
  const { stores, events, audit, clock } = options;
  const log = options.logger.child('admin');

  /** @throws AppError `USER_NOT_FOUND` */
  const getUser = async (userId: string): Promise<User> => {
    const user = await stores.users.findUser(userId);
    if (!user) throw new AppError('USER_NOT_FOUND');
    return user;
  };

  const listUsers = async ({ q, role, status, limit, cursor }: ListUsers): Promise<Page<User>> => {
    const users = await stores.users.listUsers({
      query: q ?? null,
      role: role ?? null,
      status: status ?? null,
      after: readTimeCursor(LIST, cursor),
      limit: limit + 1,
    });
    return toTimePage(users, { list: LIST, limit, timeOf: (user) => user.createdAt });
  };

  const endLogins = async (ownerId: string): Promise<number> => {
    const ended = await stores.logins.endLogins(ownerId, new Date(clock.now()), null);
    for (const loginId of ended) events.publish('loginEnded', { ownerId, loginId });
    return ended.length;
  };

  /** Every way in ends at once and for good: enabled again, the user logs in anew and makes new keys. */
  const shutOut = async (ownerId: string): Promise<void> => {
    // First what reaches live connections and caches; the account is disabled in the store already.
    events.publish('accountEnded', { ownerId });
    await endLogins(ownerId);
    const keyIds = await stores.apiKeys.revokeKeys(ownerId, new Date(clock.now()));
    for (const keyId of keyIds) events.publish('keyEnded', { ownerId, keyId });
  };

  /**
   * Changes an account. Disabling it ends its logins, API keys and connections; a role is felt at the next call.
   * @throws AppError `USER_NOT_FOUND`, `FORBIDDEN` (the last active admin)
   */
  const updateUser = async (actor: Actor, userId: string, input: UserChangesByAdmin): Promise<User> => {
    const user = await getUser(userId);
    const changes = changesOf(user, input);
    const details = describe(user, changes);
    if (details.fields === '') return user;
    const updated = await stores.users.updateAccount(userId, changes, new Date(clock.now())).catch((error: unknown) => {
      throw lastAdminError(error);
    });
    if (!updated) throw new AppError('USER_NOT_FOUND');
    if (changes.status === 'disabled') await shutOut(userId);
    if (changes.role !== undefined) events.publish('accountsChanged', { ownerIds: new Set([userId]) });
    await audit.recordNow({ action: 'user.changed', actorId: actor.userId, ownerId: userId, details });
    log.info('account changed', { userId, by: actor.userId, ...details });
    return updated;
  };

  /** @throws AppError `USER_NOT_FOUND`, `FORBIDDEN` (the last active admin) */
  const deleteUser = async (actor: Actor, userId: string): Promise<void> => {
    await deleteAccount(options, await getUser(userId), actor.userId);
    log.info('account deleted', { userId, by: actor.userId });
  };

  /** Ends every login of a user; its API keys stay. @throws AppError `USER_NOT_FOUND` */
  const signOut = async (actor: Actor, userId: string): Promise<void> => {
    await getUser(userId);
    const details = { logins: String(await endLogins(userId)) };
    await audit.recordNow({ action: 'user.signed-out', actorId: actor.userId, ownerId: userId, details });
    log.info('user signed out', { userId, by: actor.userId, ...details });
  };

  /**
   * Switches a user's second factor off, for who lost authenticator and recovery codes. Not one's own: whoever found an
   * admin's open session would be rid of it.
   * @throws AppError `USER_NOT_FOUND`, `FORBIDDEN` (oneself)
   */
  const removeSecondFactor = async (actor: Actor, userId: string): Promise<void> => {
    const user = await getUser(userId);
    if (userId === actor.userId) {
      throw new AppError('FORBIDDEN', { detail: 'Remove your own second factor by DELETE /api/auth/mfa/totp' });
    }
    await disableSecondFactor(options, user, actor.userId);
    log.info('second factor removed', { userId, by: actor.userId });
  };

  return {
    removeSecondFactor,
    listUsers,
    getUser,
    updateUser,
    deleteUser,
    signOut,
    listEvents: (query: AuditQuery) => audit.listEvents(query),
    getStats: createStats(options),
  };
};

export type AdminService = ReturnType<typeof createAdminService>;
