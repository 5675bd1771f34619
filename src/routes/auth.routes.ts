import { Router } from 'express';
import type { AccountMailController } from '../controllers/accountMail.controller.ts';
import type { AuthController } from '../controllers/auth.controller.ts';
import type { MfaController } from '../controllers/mfa.controller.ts';
import { formBody } from '../middleware/formBody.ts';
import { oauthErrors } from '../middleware/oauthErrors.ts';
import type { RateLimits } from '../middleware/rateLimit.ts';
import { withBody, withQuery } from '../middleware/withInput.ts';
import {
  changePasswordSchema,
  mailAddressSchema,
  resetPasswordSchema,
  verifyEmailSchema,
} from '../schemas/accountMail.schemas.ts';
import {
  deleteMeSchema,
  loginSchema,
  logoutQuerySchema,
  refreshSchema,
  signupSchema,
  updateMeSchema,
} from '../schemas/auth.schemas.ts';
import { pageSchema } from '../schemas/logins.schemas.ts';
import { confirmTotpSchema, finishLoginSchema, removeTotpSchema } from '../schemas/mfa.schemas.ts';
import { endpoints, type Endpoint } from './endpoints.ts';

interface Parts {
  readonly auth: AuthController;
  readonly accountMail: AccountMailController;
  readonly mfa: MfaController;
  readonly limits: RateLimits;
}

/** `/api/auth/token`. Its body is a form, so it stands before the JSON body reader. */
export const createTokenRouter = ({ auth, limits }: Pick<Parts, 'auth' | 'limits'>): Router => {
  const router = Router();
  endpoints(router, '/', { post: ['public', ...formBody, limits.grant, auth.token] });
  router.use(oauthErrors);
  return router;
};

/** `/api/auth/…` */
export const createAuthRouter = ({ auth, accountMail, mfa, limits }: Parts): Router => {
  const router = Router();
  const signup: Endpoint = ['public', limits.auth, withBody(signupSchema, auth.signup)];
  endpoints(router, '/signup', { post: signup });
  endpoints(router, '/register', { post: signup });
  endpoints(router, '/login', { post: ['public', limits.auth, withBody(loginSchema, auth.login)] });
  endpoints(router, '/mfa', { post: ['public', limits.auth, withBody(finishLoginSchema, auth.finishLogin)] });
  endpoints(router, '/mfa/totp', {
    get: ['login', limits.api, mfa.getTotp],
    post: ['login', limits.api, withBody(confirmTotpSchema, mfa.confirmTotp)],
    delete: ['login', limits.api, withBody(removeTotpSchema, mfa.removeTotp)],
  });
  endpoints(router, '/refresh', { post: ['refresh', limits.api, withBody(refreshSchema, auth.refresh)] });
  endpoints(router, '/logout', { post: ['refresh', limits.api, withQuery(logoutQuerySchema, auth.logout)] });
  endpoints(router, '/me', {
    get: ['login', limits.api, auth.me],
    patch: ['login', limits.api, withBody(updateMeSchema, auth.updateMe)],
    delete: ['login', limits.api, withBody(deleteMeSchema, auth.deleteMe)],
  });
  endpoints(router, '/password', {
    post: ['login', limits.api, withBody(changePasswordSchema, accountMail.changePassword)],
  });
  endpoints(router, '/verify-email', {
    post: ['public', limits.auth, withBody(verifyEmailSchema, accountMail.verifyEmail)],
  });
  endpoints(router, '/resend-verification', {
    post: ['public', limits.auth, withBody(mailAddressSchema, accountMail.resendVerification)],
  });
  endpoints(router, '/forgot-password', {
    post: ['public', limits.auth, withBody(mailAddressSchema, accountMail.forgotPassword)],
  });
  endpoints(router, '/reset-password', {
    post: ['public', limits.auth, withBody(resetPasswordSchema, accountMail.resetPassword)],
  });
  endpoints(router, '/sessions', { get: ['login', limits.api, withQuery(pageSchema, auth.listLogins)] });
  endpoints(router, '/sessions/:id', { delete: ['login', limits.api, auth.revokeLogin] });
  endpoints(router, '/history', { get: ['login', limits.api, withQuery(pageSchema, auth.listHistory)] });
  endpoints(router, '/ticket', { post: ['login', limits.api, auth.createTicket] });
  return router;
};
