import { Router } from 'express';
import type { ModelsController } from '../controllers/models.controller.ts';
import type { RateLimits } from '../middleware/rateLimit.ts';
import { endpoints } from './endpoints.ts';

interface Parts {
  readonly models: ModelsController;
  readonly limits: Pick<RateLimits, 'api'>;
}

export const createModelsRouter = ({ models, limits }: Parts): Router => {
  const router = Router();
  endpoints(router, '/models', { get: ['read', limits.api, models.listModels] });
  return router;
};
