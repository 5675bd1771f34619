import { AppError } from '../../lib/errors.ts';
import { readTimeCursor, toTimePage } from '../../lib/timeCursor.ts';
import type { Login } from '../../models/entities.ts';
import type { Page } from '../../schemas/common.ts';
import type { Actor } from './actor.ts';
import type { AuthParts, PageQuery } from './deps.ts';

const LIST = 'logins';

/** The logins of a user: its devices that are signed in. */
export const createLogins = ({ stores, events, clock, audit }: AuthParts) => {
  const listLogins = async ({ ownerId }: Actor, { limit, cursor }: PageQuery): Promise<Page<Login>> => {
    const page = { after: readTimeCursor(LIST, cursor), limit: limit + 1 };
    const logins = await stores.logins.listLogins(ownerId, page, new Date(clock.now()));
    return toTimePage(logins, { list: LIST, limit, timeOf: (login) => login.createdAt });
  };

  /** Ends a login, also the actor's own; what is open under it is closed. @throws AppError `LOGIN_NOT_FOUND` */
  const revokeLogin = async ({ userId: actorId, ownerId }: Actor, loginId: string): Promise<void> => {
    const hasEnded = await stores.logins.endLogin(ownerId, loginId, new Date(clock.now()));
    if (!hasEnded) throw new AppError('LOGIN_NOT_FOUND');
    events.publish('loginEnded', { ownerId, loginId });
    await audit.recordNow({
      action: 'login.ended',
      actorId,
      ownerId,
      targetId: loginId,
      details: { reason: 'revoked' },
    });
  };

  return { listLogins, revokeLogin };
};
