import { AppError } from '../../lib/errors.ts';
import type { Actor } from './actor.ts';

/**
 * Who may use a route or a socket event; each declares one of these, and without one the node does not start.
 *
 * - `public`: everybody.
 * - `refresh`: who has a refresh token, which the route itself looks at, or is signed in. No API key.
 * - `login`: who is signed in. No API key: with one, whoever found it could make more or change the password.
 * - `read`, `chat`: who is signed in, or an API key with that scope.
 * - `manager`: who is signed in as a manager or an admin; `admin`: as an admin.
 */
export type Access = 'public' | 'refresh' | 'login' | 'read' | 'chat' | 'manager' | 'admin';

const KEY = 'An API key may not do this: log in';

const noKey = ({ keyId }: Actor): string | null => (keyId === null ? null : KEY);
const scoped =
  (scope: 'read' | 'chat') =>
  ({ scopes }: Actor): string | null =>
    scopes.includes(scope) ? null : `The API key does not have the scope «${scope}»`;
const roles =
  (...allowed: readonly Actor['role'][]) =>
  (actor: Actor): string | null =>
    noKey(actor) ?? (allowed.includes(actor.role) ? null : `This needs the role ${allowed.join(' or ')}`);

/** Why an actor may not; null when it may. */
const REFUSALS: Readonly<Record<Access, (actor: Actor) => string | null>> = {
  public: () => null,
  refresh: noKey,
  login: noKey,
  read: scoped('read'),
  chat: scoped('chat'),
  manager: roles('manager', 'admin'),
  admin: roles('admin'),
};

/** Whether a value is a policy; for tables that are checked when the node starts. */
export const isAccess = (value: unknown): value is Access =>
  typeof value === 'string' && Object.hasOwn(REFUSALS, value);

/** Whether someone whom nobody knows may use it, too. */
export const isOpen = (access: Access): boolean => access === 'public' || access === 'refresh';

/** The one decision of who may do what kind of thing, for every door. @throws AppError `FORBIDDEN` */
export const checkAccess = (actor: Actor, access: Access): void => {
  const detail = REFUSALS[access](actor);
  if (detail !== null) throw new AppError('FORBIDDEN', { detail });
};
