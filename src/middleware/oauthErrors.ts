import type { ErrorRequestHandler } from 'express';
import { toOAuthError } from '../schemas/oauth.schemas.ts';

/** Answers the token endpoint's refusals as RFC 6749 §5.2 asks; all other errors go on to become problems. */
// eslint-disable-next-line max-params -- Express knows an error handler by its four parameters
export const oauthErrors: ErrorRequestHandler = (error, req, res, next) => {
  const body = toOAuthError(error);
  if (!body) {
    next(error);
    return;
  }
  // What was not read of a body would be taken for the next request.
  if (!req.complete) res.setHeader('Connection', 'close');
  res.setHeader('Pragma', 'no-cache');
  res.status(400).json(body);
};
