import { Router } from 'express';
import type { AuthController } from '../controllers/auth.controller.ts';
import type { ChatController } from '../controllers/chat.controller.ts';
import type { ModelsController } from '../controllers/models.controller.ts';
import type { SyncController } from '../controllers/sync.controller.ts';
import { jsonBody } from '../middleware/jsonBody.ts';
import type { RateLimits } from '../middleware/rateLimit.ts';
import { createAuthRouter, createTokenRouter } from './auth.routes.ts';
import { createChatRouter } from './chat.routes.ts';
import { createModelsRouter } from './models.routes.ts';
import { createSyncRouter } from './sync.routes.ts';

export interface ApiParts {
  readonly auth: AuthController;
  readonly chat: ChatController;
  readonly sync: SyncController;
  readonly models: ModelsController;
  readonly limits: RateLimits;
}

/** The map of `/api`: each line hands a part of it to its own table. */
export const createApiRouter = (parts: ApiParts): Router => {
  const router = Router();
  router.use('/auth/token', createTokenRouter(parts));
  router.use(jsonBody);
  router.use('/auth', createAuthRouter(parts));
  router.use('/chat', createChatRouter(parts));
  router.use(createSyncRouter(parts));
  router.use(createModelsRouter(parts));
  return router;
};
