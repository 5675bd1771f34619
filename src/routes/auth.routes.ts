import { Router } from 'express';
import type { AuthController } from '../controllers/auth.controller.ts';
import { formBody } from '../middleware/formBody.ts';
import { oauthErrors } from '../middleware/oauthErrors.ts';
import type { RateLimits } from '../middleware/rateLimit.ts';
import { requireActor } from '../middleware/requireActor.ts';
import { withBody, withQuery } from '../middleware/withInput.ts';
import {
  deleteMeSchema,
  loginSchema,
  logoutQuerySchema,
  refreshSchema,
  signupSchema,
  updateMeSchema,
} from '../schemas/auth.schemas.ts';
import { endpoints } from './endpoints.ts';

interface Parts {
  readonly auth: AuthController;
  readonly limits: RateLimits;
}

/** `/api/auth/token`. Its body is a form, so it stands before the JSON body reader. */
export const createTokenRouter = ({ auth, limits }: Parts): Router => {
  const router = Router();
  endpoints(router, '/', { post: [...formBody, limits.grant, auth.token] });
  router.use(oauthErrors);
  return router;
};

/** `/api/auth/…` */
export const createAuthRouter = ({ auth, limits }: Parts): Router => {
  const router = Router();
  const signup = [limits.auth, withBody(signupSchema, auth.signup)];
  endpoints(router, '/signup', { post: signup });
  endpoints(router, '/register', { post: signup });
  endpoints(router, '/login', { post: [limits.auth, withBody(loginSchema, auth.login)] });
  endpoints(router, '/refresh', { post: [limits.api, withBody(refreshSchema, auth.refresh)] });
  endpoints(router, '/logout', { post: [limits.api, withQuery(logoutQuerySchema, auth.logout)] });
  endpoints(router, '/me', {
    get: [limits.api, requireActor, auth.me],
    patch: [limits.api, requireActor, withBody(updateMeSchema, auth.updateMe)],
    delete: [limits.api, requireActor, withBody(deleteMeSchema, auth.deleteMe)],
  });
  endpoints(router, '/ticket', { post: [limits.api, requireActor, auth.createTicket] });
  return router;
};
