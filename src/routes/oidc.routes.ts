import { Router } from 'express';
import type { OidcController } from '../controllers/oidc.controller.ts';
import type { RateLimits } from '../middleware/rateLimit.ts';
import { withBody, withQuery } from '../middleware/withInput.ts';
import {
  beginSignInSchema,
  exchangeCodeSchema,
  linkIdentitySchema,
  removeIdentitySchema,
} from '../schemas/oidc.schemas.ts';
import { endpoints } from './endpoints.ts';

interface Parts {
  readonly oidc: OidcController;
  readonly limits: RateLimits;
}

/** `/api/auth/oidc/…` and `/api/auth/identities` */
export const createOidcRouter = ({ oidc, limits: { api } }: Parts): Router => {
  const router = Router();
  endpoints(router, '/oidc', { get: ['public', api, oidc.list] });
  endpoints(router, '/oidc/token', { post: ['public', api, withBody(exchangeCodeSchema, oidc.exchange)] });
  endpoints(router, '/oidc/:provider', { get: ['public', api, withQuery(beginSignInSchema, oidc.begin)] });
  endpoints(router, '/oidc/:provider/callback', { get: ['public', api, oidc.end] });
  endpoints(router, '/identities', {
    get: ['login', api, oidc.listIdentities],
    post: ['login', api, withBody(linkIdentitySchema, oidc.linkIdentity)],
  });
  endpoints(router, '/identities/:id', {
    delete: ['login', api, withBody(removeIdentitySchema, oidc.removeIdentity)],
  });
  return router;
};
