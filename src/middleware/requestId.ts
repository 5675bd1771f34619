import type { RequestHandler } from 'express';
import { chooseRequestId } from '../lib/ids.ts';
import { requestContext } from '../lib/requestContext.ts';

/** Names the request, for its answer, its log lines and its errors. */
export const requestId: RequestHandler = (req, res, next) => {
  req.id = chooseRequestId(req.headers['x-request-id']);
  res.setHeader('X-Request-Id', req.id);
  const client = { ip: req.ip ?? '', device: req.get('User-Agent') ?? '' };
  requestContext.run({ requestId: req.id, client }, next);
};
