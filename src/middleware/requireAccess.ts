import type { RequestHandler } from 'express';
import { checkAccess, isOpen, type Access } from '../services/auth/access.ts';
import { actorOf } from './request.ts';

export { isAccess, type Access } from '../services/auth/access.ts';

/**
 * Refuses a request that the policy of its route does not allow.
 * @throws AppError `UNAUTHENTICATED`, `TOKEN_…`, `FORBIDDEN`
 */
export const requireAccess =
  (access: Access): RequestHandler =>
  (req, _res, next) => {
    if (!isOpen(access) || req.actor) checkAccess(actorOf(req), access);
    next();
  };
