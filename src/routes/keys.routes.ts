import { Router } from 'express';
import type { KeysController } from '../controllers/keys.controller.ts';
import type { RateLimits } from '../middleware/rateLimit.ts';
import { withBody, withQuery } from '../middleware/withInput.ts';
import { createKeySchema } from '../schemas/keys.schemas.ts';
import { pageSchema } from '../schemas/logins.schemas.ts';
import { endpoints } from './endpoints.ts';

interface Parts {
  readonly keys: KeysController;
  readonly limits: Pick<RateLimits, 'api'>;
}

/** `/api/keys` */
export const createKeysRouter = ({ keys, limits: { api } }: Parts): Router => {
  const router = Router();
  endpoints(router, '/keys', {
    get: ['login', api, withQuery(pageSchema, keys.listKeys)],
    post: ['login', api, withBody(createKeySchema, keys.createKey)],
  });
  endpoints(router, '/keys/:id', { delete: ['login', api, keys.revokeKey] });
  return router;
};
