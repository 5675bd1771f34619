import type { ErrorRequestHandler, Response } from 'express';
import type { Logger } from '../lib/logger.ts';
import { AppError } from '../lib/errors.ts';
import { OpenAiError, toOpenAiError } from '../schemas/openai.errors.ts';
import { setChallenge, toAppError } from './errorHandler.ts';

const setRetryHints = (res: Response, { retryAfterMs, isFinal }: OpenAiError): void => {
  if (retryAfterMs !== null) res.setHeader('Retry-After', String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
  if (isFinal) res.setHeader('X-Should-Retry', 'false');
};

/** Renders every error of `/v1` as OpenAI's SDKs read it, and logs what the client is not told. */
export const openaiErrors = (logger: Logger): ErrorRequestHandler => {
  const log = logger.child('openai');
  // eslint-disable-next-line max-params -- four parameters are how Express knows an error handler
  return (thrown, req, res, _next) => {
    const error = thrown instanceof OpenAiError ? thrown : toOpenAiError(toAppError(thrown));
    const line = { requestId: req.id, code: error.body.error.code, err: error.cause ?? error };
    if (error.status === 500) log.error('request failed', line);
    else if (error.status > 500) log.warn('request failed', line);
    if (res.headersSent) {
      res.destroy();
      return;
    }
    setRetryHints(res, error);
    if (error.cause instanceof AppError) setChallenge(res, error.cause.code);
    // A body that was not read to its end would be taken for the next request.
    if (!req.complete) res.setHeader('Connection', 'close');
    res.status(error.status).json(error.body);
  };
};
