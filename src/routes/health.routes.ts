import { Router } from 'express';
import type { HealthController } from '../controllers/health.controller.ts';
import { endpoints } from './endpoints.ts';

export const createHealthRouter = (health: HealthController): Router => {
  const router = Router();
  endpoints(router, '/health', { get: ['public', health.live] });
  endpoints(router, '/health/ready', { get: ['public', health.ready] });
  return router;
};
