import { Router } from 'express';
import type { SyncController } from '../controllers/sync.controller.ts';
import type { RateLimits } from '../middleware/rateLimit.ts';
import { withQuery } from '../middleware/withInput.ts';
import { syncSchema } from '../schemas/sync.schemas.ts';
import { endpoints } from './endpoints.ts';

interface Parts {
  readonly sync: SyncController;
  readonly limits: Pick<RateLimits, 'api'>;
}

export const createSyncRouter = ({ sync, limits }: Parts): Router => {
  const router = Router();
  endpoints(router, '/sync', { get: ['read', limits.api, withQuery(syncSchema, sync.sync)] });
  return router;
};
