import { Router } from 'express';
import type { UsageController } from '../controllers/usage.controller.ts';
import type { RateLimits } from '../middleware/rateLimit.ts';
import { withQuery } from '../middleware/withInput.ts';
import { usageAttemptsSchema, usageSchema } from '../schemas/usage.schemas.ts';
import { endpoints } from './endpoints.ts';

interface Parts {
  readonly usage: UsageController;
  readonly limits: Pick<RateLimits, 'api'>;
}

export const createUsageRouter = ({ usage, limits }: Parts): Router => {
  const router = Router();
  endpoints(router, '/', { get: ['read', limits.api, withQuery(usageSchema, usage.getUsage)] });
  endpoints(router, '/attempts', {
    get: ['read', limits.api, withQuery(usageAttemptsSchema, usage.listAttempts)],
  });
  return router;
};
