import { Router, type RequestHandler } from 'express';
import type { OpenAiController } from '../controllers/openai.controller.ts';
import { notFound } from '../middleware/notFound.ts';
import type { RateLimits } from '../middleware/rateLimit.ts';
import { withBody } from '../middleware/withInput.ts';
import { completionSchema } from '../schemas/openai.schemas.ts';
import { endpoints } from './endpoints.ts';

interface Parts {
  readonly openai: OpenAiController;
  readonly limits: Pick<RateLimits, 'api' | 'completions'>;
  /** Reads a body that may hold pictures. */
  readonly largeBody: readonly RequestHandler[];
}

/** `/v1/…`. A completion is counted like a send, before its body is read; ids of models have a `/` in them. */
export const createOpenAiRouter = ({ openai, limits, largeBody }: Parts): Router => {
  const router = Router();
  endpoints(router, '/chat/completions', {
    post: ['chat', limits.completions, ...largeBody, withBody(completionSchema, openai.createCompletion)],
  });
  endpoints(router, '/models', { get: ['read', limits.api, openai.listModels] });
  endpoints(router, '/models/*id', { get: ['read', limits.api, openai.getModel] });
  router.use(limits.api, notFound);
  return router;
};
