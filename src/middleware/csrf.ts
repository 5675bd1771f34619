import type { Request, RequestHandler } from 'express';
import { AppError } from '../lib/errors.ts';
import { readSessionCookies } from './cookies.ts';
import { bearerToken } from './credentials.ts';
import type { Origins } from './origins.ts';

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

const hasSessionCookie = (req: Request, origins: Origins): boolean => {
  const { accessToken, refreshToken } = readSessionCookies(req, origins.isSecure(req));
  return accessToken !== undefined || refreshToken !== undefined;
};

/**
 * Refuses requests that change something and that another site made a browser send (OWASP CSRF Prevention: Fetch metadata
 * and Origin). With a Bearer token there is nothing to forge: browsers never add one by themselves. Without any cookie the
 * check still covers login itself, so that nobody is signed in as someone else.
 * @throws AppError `ORIGIN_NOT_ALLOWED`
 */
export const createCsrf =
  (origins: Origins): RequestHandler =>
  (req, _res, next) => {
    const isExempt = SAFE_METHODS.has(req.method) || bearerToken(req) !== null;
    // Of a request that tells nothing of where it began, only its cookies can be a browser's.
    if (!isExempt && !(origins.isOwnRequest(req) ?? !hasSessionCookie(req, origins)))
      throw new AppError('ORIGIN_NOT_ALLOWED');
    next();
  };
