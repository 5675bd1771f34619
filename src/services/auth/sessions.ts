import { newId } from '../../lib/ids.ts';
import { shorten } from '../../lib/text.ts';
import type { Login, User } from '../../models/entities.ts';
import type { AuthParts, Client } from './deps.ts';
import type { Session } from './session.ts';
import type { AccessTokens } from './tokens.ts';

export type { Session } from './session.ts';

const DAY_MS = 86_400_000;
const IDLE_MS = 7 * DAY_MS;
const MAX_DEVICE_CHARS = 256;
/** Devices that a user can be signed in on. */
const MAX_LOGINS = 20;

/** When a login ends that is not used from `now` on: after 7 days, and never after its absolute end. */
export const idleEnd = (now: number, expiresAt: Date): Date => new Date(Math.min(now + IDLE_MS, expiresAt.getTime()));

/** A login in its present state, with the refresh token that is good for it now. */
export interface LoginWithToken {
  readonly login: Login;
  readonly token: string;
}

export const toSession = (tokens: AccessTokens, user: User, { login, token }: LoginWithToken): Session => ({
  loginId: login.id,
  user,
  ...tokens.issue(user, login.id, login.expiresAt),
  refreshToken: token,
  refreshExpiresAt: login.idleExpiresAt,
});

type Parts = Pick<AuthParts, 'stores' | 'config' | 'clock' | 'accessTokens' | 'refreshTokens' | 'events' | 'audit'>;

/** Of too many logins those end that were not seen for longest. */
const endOldest = async ({ stores, events, audit }: Parts, ownerId: string, at: Date): Promise<void> => {
  for (const loginId of await stores.logins.endOldestLogins(ownerId, MAX_LOGINS, at)) {
    events.publish('loginEnded', { ownerId, loginId });
    audit.record({ action: 'login.ended', ownerId, targetId: loginId, details: { reason: 'limit' } });
  }
};

/** Begins a login of a user on a device; the twenty-first ends another. */
export const startSession = async (parts: Parts, user: User, client: Client): Promise<Session> => {
  const now = parts.clock.now();
  const id = newId();
  const { token, hash } = parts.refreshTokens.issue(id, 0);
  const at = new Date(now);
  const expiresAt = new Date(now + parts.config.auth.refreshTokenTtlMs);
  const login: Login = {
    id,
    ownerId: user.id,
    device: shorten(client.device, MAX_DEVICE_CHARS),
    ip: client.ip,
    tokenHash: hash,
    generation: 0,
    rotatedAt: at,
    createdAt: at,
    lastSeenAt: at,
    idleExpiresAt: idleEnd(now, expiresAt),
    expiresAt,
    endedAt: null,
  };
  await parts.stores.logins.createLogin(login);
  await endOldest(parts, user.id, at);
  return toSession(parts.accessTokens, user, { login, token });
};
