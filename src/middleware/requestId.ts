import type { RequestHandler } from 'express';
import { newId } from '../lib/ids.ts';
import { requestContext } from '../lib/requestContext.ts';

const SAFE_ID = /^[A-Za-z0-9._-]{1,64}$/;

/** A request's id: the caller's own if it is safe to print, else a new one. */
export const chooseRequestId = (offered: unknown): string =>
  typeof offered === 'string' && SAFE_ID.test(offered) ? offered : newId();

/** Names the request, for its answer, its log lines and its errors. */
export const requestId: RequestHandler = (req, res, next) => {
  req.id = chooseRequestId(req.headers['x-request-id']);
  res.setHeader('X-Request-Id', req.id);
  requestContext.run({ requestId: req.id }, next);
};
