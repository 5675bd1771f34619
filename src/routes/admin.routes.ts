import { Router } from 'express';
import type { AdminController } from '../controllers/admin.controller.ts';
import type { RateLimits } from '../middleware/rateLimit.ts';
import { withBody, withQuery } from '../middleware/withInput.ts';
import { listEventsSchema, listUsersSchema, updateUserSchema } from '../schemas/admin.schemas.ts';
import { endpoints } from './endpoints.ts';

interface Parts {
  readonly admin: AdminController;
  readonly limits: Pick<RateLimits, 'api'>;
}

/** `/api/admin/…` */
export const createAdminRouter = ({ admin, limits: { api } }: Parts): Router => {
  const router = Router();
  endpoints(router, '/users', { get: ['admin', api, withQuery(listUsersSchema, admin.listUsers)] });
  endpoints(router, '/users/:id', {
    get: ['admin', api, admin.getUser],
    patch: ['admin', api, withBody(updateUserSchema, admin.updateUser)],
    delete: ['admin', api, admin.deleteUser],
  });
  endpoints(router, '/users/:id/sign-out', { post: ['admin', api, admin.signOut] });
  endpoints(router, '/users/:id/mfa', { delete: ['admin', api, admin.removeSecondFactor] });
  endpoints(router, '/audit', { get: ['admin', api, withQuery(listEventsSchema, admin.listEvents)] });
  endpoints(router, '/stats', { get: ['manager', api, admin.getStats] });
  return router;
};
