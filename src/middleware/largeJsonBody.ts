import type { Request, RequestHandler } from 'express';
import { AppError } from '../lib/errors.ts';
import { createJsonBody } from './jsonBody.ts';

/** What large bodies may take together; ordinary ones are a ten-thousandth of it. */
const MAX_TOTAL_BYTES = 256 * 1024 * 1024;
/** About as long as a body takes to come in. */
const RETRY_AFTER_MS = 2_000;

/** What the body may take: what it says, unless it grows when it is unpacked or does not say. */
const sizeOf = (req: Request, maxBodyBytes: number): number => {
  const length = Number(req.headers['content-length'] ?? NaN);
  const isPacked = (req.headers['content-encoding'] ?? 'identity') !== 'identity';
  return isPacked || !(length >= 0) ? maxBodyBytes : Math.min(length, maxBodyBytes);
};

/**
 * Bounds what the large bodies of all requests under way may take together, so that many of them at once are told to come
 * back instead of ending the process. A body counts until its answer is over, because a failed model's successor needs it.
 * @throws AppError `LLM_UNAVAILABLE` with `Retry-After`
 */
const createBodyBudget = (maxBodyBytes: number, maxTotalBytes: number): RequestHandler => {
  let total = 0;
  return (req, res, next) => {
    const size = sizeOf(req, maxBodyBytes);
    if (total > 0 && total + size > maxTotalBytes) {
      throw new AppError('LLM_UNAVAILABLE', {
        detail: 'Too many large requests at once',
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    total += size;
    res.once('close', () => {
      total -= size;
    });
    next();
  };
};

/**
 * Reads a JSON body that may hold pictures into `req.body`; to be put behind the check of who asks.
 * @param maxBytes of the body, after decompression
 */
export const createLargeJsonBody = (maxBytes: number): readonly RequestHandler[] => [
  createBodyBudget(maxBytes, MAX_TOTAL_BYTES),
  createJsonBody(maxBytes),
];
