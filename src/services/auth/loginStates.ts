import { LRUCache } from 'lru-cache';
import { AppError } from '../../lib/errors.ts';
import type { Role } from '../../models/entities.ts';
import type { AuthParts } from './deps.ts';

/** Whether a login is good, and for whom, as the database said at most 30 s ago. */
export interface LoginState {
  readonly loginId: string;
  readonly ownerId: string;
  /** As it is now: a token keeps the role that the user had when it was made. */
  readonly role: Role;
  readonly expiresAt: Date;
}

export interface LoginStates {
  /** @throws AppError `TOKEN_REVOKED` when the login has ended or rested for too long, or its user is gone or disabled */
  getState(loginId: string): Promise<LoginState>;
}

/** The longest that what another node did can go unnoticed here (contract: revocation with Redis gone, 30 s). */
const REVALIDATE_MS = 30_000;
const MAX_LOGINS = 20_000;

interface Entry {
  readonly ownerId: string | null;
  readonly state: LoginState | null;
  readonly readAt: number;
}

/**
 * Remembers the state of logins, so that a steady client costs no database read: each is read again after 30 s, and at
 * once after it, or its account, ended on this node or got another role.
 */
export const createLoginStates = ({
  stores,
  events,
  clock,
}: Pick<AuthParts, 'stores' | 'events' | 'clock'>): LoginStates => {
  const entries = new LRUCache<string, Entry>({ max: MAX_LOGINS });
  /** Rises with every ending: a read that was under way then may have seen the time before it, and is not kept. */
  let endings = 0;

  events.subscribe('loginEnded', ({ loginId }) => {
    endings += 1;
    entries.delete(loginId);
  });
  const forgetOwners = (ownerIds: ReadonlySet<string>): void => {
    endings += 1;
    for (const [loginId, { ownerId }] of entries.entries()) {
      if (ownerId !== null && ownerIds.has(ownerId)) entries.delete(loginId);
    }
  };
  events.subscribe('accountEnded', ({ ownerId }) => forgetOwners(new Set([ownerId])));
  events.subscribe('accountsChanged', ({ ownerIds }) => forgetOwners(ownerIds));

  const read = async (loginId: string): Promise<Entry> => {
    const readAt = clock.now();
    const login = await stores.logins.findLogin(loginId);
    // A login that rests for too long is refused a new token, so it never comes back.
    const isOver = !login || login.endedAt !== null || login.idleExpiresAt.getTime() <= readAt;
    if (isOver) return { ownerId: login?.ownerId ?? null, state: null, readAt };
    const { ownerId, expiresAt } = login;
    const user = await stores.users.findUser(ownerId);
    const state = user?.status === 'active' ? { loginId, ownerId, role: user.role, expiresAt } : null;
    return { ownerId, state, readAt };
  };

  const readAndKeep = async (loginId: string): Promise<Entry> => {
    const endingsBefore = endings;
    const entry = await read(loginId);
    if (endings === endingsBefore) entries.set(loginId, entry);
    return entry;
  };

  return {
    getState: async (loginId) => {
      const known = entries.get(loginId);
      const isFresh = known !== undefined && clock.now() - known.readAt < REVALIDATE_MS;
      const { state } = isFresh ? known : await readAndKeep(loginId);
      if (!state || state.expiresAt.getTime() <= clock.now()) throw new AppError('TOKEN_REVOKED');
      return state;
    },
  };
};
