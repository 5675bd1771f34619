import type { ErrorRequestHandler, Response } from 'express';
import { errorSpec, type ErrorCode } from '../lib/errorCodes.ts';
import { AppError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { challengeOf } from '../schemas/challenge.ts';
import { toProblem } from '../schemas/problem.ts';

const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  413: 'PAYLOAD_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
};

/** What Express and its body reader throw (http-errors, URIError of a bad `%`), as our errors. */
export const toAppError = (error: unknown): unknown => {
  if (error instanceof AppError || !Error.isError(error) || !('status' in error)) return error;
  const status = Number(error.status);
  if (!(status >= 400 && status < 500)) return error;
  return new AppError(CODE_OF_STATUS[status] ?? 'VALIDATION_FAILED', { cause: error });
};

const setRetryAfter = (res: Response, retryAfterMs: number | undefined): void => {
  if (retryAfterMs !== undefined) res.setHeader('Retry-After', String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
};

export const setChallenge = (res: Response, code: ErrorCode): void => {
  const challenge = challengeOf(code);
  if (challenge !== null) res.setHeader('WWW-Authenticate', challenge);
};

/** Renders every error of every route as problem+json, and logs what the client is not told. */
export const errorHandler = (logger: Logger): ErrorRequestHandler => {
  const log = logger.child('http');
  // eslint-disable-next-line max-params -- four parameters are how Express knows an error handler
  return (thrown, req, res, _next) => {
    const error = toAppError(thrown);
    const problem = toProblem(error, req.id);
    const { logLevel } = errorSpec(problem.code);
    if (logLevel !== 'info') log[logLevel]('request failed', { requestId: req.id, code: problem.code, err: error });
    if (res.headersSent) {
      res.destroy();
      return;
    }
    setRetryAfter(res, problem.retryAfterMs);
    setChallenge(res, problem.code);
    // A body that was not read to its end would be taken for the next request.
    if (!req.complete) res.setHeader('Connection', 'close');
    res.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  };
};
