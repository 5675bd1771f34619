import type { RequestHandler } from 'express';

/** Notes when the request came, for answers that tell how long this server took. */
export const startedAt: RequestHandler = (_req, res, next) => {
  res.locals.startedAt = performance.now();
  next();
};
