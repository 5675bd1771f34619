import type { RequestHandler } from 'express';
import { actorOf } from './request.ts';

/** Refuses a request that nobody is known to have made. */
export const requireActor: RequestHandler = (req, _res, next) => {
  actorOf(req);
  next();
};
