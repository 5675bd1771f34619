import express, { type Request, type RequestHandler, type Response } from 'express';
import { AppError } from '../lib/errors.ts';
import { parseJson } from '../lib/json.ts';

/** Bytes of a request's body, after decompression. */
export const MAX_BODY_BYTES = 256 * 1024;

/** `application/json`, alone or with `charset=utf-8`: RFC 8259 knows no other encoding between systems. */
const isJson = (contentType: string): boolean =>
  /^application\/json\s*(;\s*charset\s*=\s*"?utf-?8"?\s*)?;?$/i.test(contentType.trim());

/** A body of these means nothing (RFC 9110 §9.3.1), and Node throws it away. */
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

const hasBody = (req: Request): boolean =>
  !SAFE_METHODS.has(req.method) &&
  (req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0);

/** Broken compression or a cut body is no JSON either; too large and an unknown encoding have codes of their own. */
const bodyError = (error: unknown): Error => {
  const cause = Error.isError(error) ? error : new Error('the body could not be read', { cause: error });
  return 'status' in cause && cause.status === 400 ? new AppError('MALFORMED_JSON', { cause }) : cause;
};

const readBody = (readBytes: RequestHandler, req: Request, res: Response): Promise<unknown> =>
  new Promise((resolve, reject) => {
    void readBytes(req, res, (error?: unknown) => {
      if (error) reject(bodyError(error));
      else resolve(req.body);
    });
  });

/**
 * Reads a JSON body into `req.body`. A request without a body has none there.
 * @param maxBytes of the body, after decompression
 */
export const createJsonBody = (maxBytes: number): RequestHandler => {
  const readBytes = express.raw({ type: () => true, limit: maxBytes });
  return async (req, res, next) => {
    if (hasBody(req)) {
      if (!isJson(req.headers['content-type'] ?? '')) throw new AppError('UNSUPPORTED_MEDIA_TYPE');
      const bytes = await readBody(readBytes, req, res);
      req.body = Buffer.isBuffer(bytes) && bytes.length > 0 ? parseJson(bytes) : undefined;
    }
    next();
  };
};

export const jsonBody = createJsonBody(MAX_BODY_BYTES);
