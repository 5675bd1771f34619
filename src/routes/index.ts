import { Router } from 'express';
import type { AccountMailController } from '../controllers/accountMail.controller.ts';
import type { AdminController } from '../controllers/admin.controller.ts';
import type { AuthController } from '../controllers/auth.controller.ts';
import type { ChatController } from '../controllers/chat.controller.ts';
import type { KeysController } from '../controllers/keys.controller.ts';
import type { MfaController } from '../controllers/mfa.controller.ts';
import type { ModelsController } from '../controllers/models.controller.ts';
import type { OidcController } from '../controllers/oidc.controller.ts';
import type { SyncController } from '../controllers/sync.controller.ts';
import type { UsageController } from '../controllers/usage.controller.ts';
import { jsonBody } from '../middleware/jsonBody.ts';
import type { RateLimits } from '../middleware/rateLimit.ts';
import { createAdminRouter } from './admin.routes.ts';
import { createAuthRouter, createTokenRouter } from './auth.routes.ts';
import { createChatRouter } from './chat.routes.ts';
import { mount } from './endpoints.ts';
import { createKeysRouter } from './keys.routes.ts';
import { createModelsRouter } from './models.routes.ts';
import { createOidcRouter } from './oidc.routes.ts';
import { createSyncRouter } from './sync.routes.ts';
import { createUsageRouter } from './usage.routes.ts';

export interface ApiParts {
  readonly auth: AuthController;
  readonly accountMail: AccountMailController;
  readonly mfa: MfaController;
  readonly chat: ChatController;
  readonly sync: SyncController;
  readonly models: ModelsController;
  readonly usage: UsageController;
  readonly oidc: OidcController;
  readonly keys: KeysController;
  readonly admin: AdminController;
  readonly limits: RateLimits;
}

/** The map of `/api`: each line hands a part of it to its own table. */
export const createApiRouter = (parts: ApiParts): Router => {
  const router = Router();
  mount(router, '/auth/token', createTokenRouter(parts));
  router.use(jsonBody);
  mount(router, '/auth', createAuthRouter(parts));
  mount(router, '/auth', createOidcRouter(parts));
  mount(router, '/chat', createChatRouter(parts));
  mount(router, '/', createSyncRouter(parts));
  mount(router, '/', createModelsRouter(parts));
  mount(router, '/usage', createUsageRouter(parts));
  mount(router, '/', createKeysRouter(parts));
  mount(router, '/admin', createAdminRouter(parts));
  return router;
};
