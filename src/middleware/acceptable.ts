import type { RequestHandler } from 'express';
import { AppError } from '../lib/errors.ts';

const PRODUCED = ['application/json', 'application/problem+json', 'text/event-stream'];

/** Refuses a client that accepts nothing of what the API can answer. */
export const acceptable: RequestHandler = (req, _res, next) => {
  if (req.accepts(PRODUCED) === false) throw new AppError('NOT_ACCEPTABLE');
  next();
};
