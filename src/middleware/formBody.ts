import express, { type RequestHandler } from 'express';
import { OAuthError } from '../schemas/oauth.schemas.ts';

const MEDIA_TYPE = 'application/x-www-form-urlencoded';
const MAX_FORM_BYTES = 16 * 1024;

const decode = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '));

/** Name and value of each parameter; those without a value count as left out (RFC 6749 §3.2). */
const pairsOf = (body: string): (readonly [string, string])[] =>
  body
    .split('&')
    .map((pair) => pair.split('='))
    .map(([name = '', ...value]) => [decode(name), decode(value.join('='))] as const)
    .filter(([name, value]) => name !== '' && value !== '');

const parseForm = (body: Uint8Array): Record<string, string> => {
  const pairs = pairsOf(new TextDecoder('utf-8', { fatal: true }).decode(body));
  const form = new Map(pairs);
  if (form.size < pairs.length) throw new Error('a parameter is there twice');
  return Object.fromEntries(form);
};

const readBytes = express.raw({ type: MEDIA_TYPE, limit: MAX_FORM_BYTES });

/** Broken or unknown compression and a cut body make no form that we can read; one that is too large has a status of its own. */
const readError = (error: unknown): unknown =>
  Error.isError(error) && 'status' in error && (error.status === 400 || error.status === 415)
    ? new OAuthError('invalid_request', 'the body could not be read')
    : error;

/**
 * Reads an OAuth form into `req.body`, in UTF-8 only (RFC 6749 Appendix B).
 * @throws OAuthError `invalid_request`: another media type, bad encoding, or a parameter that is there twice
 */
export const formBody: readonly RequestHandler[] = [
  (req, res, next) => {
    readBytes(req, res, (error?: unknown) => {
      next(error === undefined ? undefined : readError(error));
    });
  },
  (req, _res, next) => {
    if (!Buffer.isBuffer(req.body)) throw new OAuthError('invalid_request', `the body must be ${MEDIA_TYPE}`);
    try {
      req.body = parseForm(req.body);
    } catch {
      throw new OAuthError('invalid_request', 'the body is malformed, or a parameter is there twice');
    }
    next();
  },
];
