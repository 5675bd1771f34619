import cors, { type CorsOptions } from 'cors';
import type { Request, RequestHandler } from 'express';
import type { Origins } from './origins.ts';

const ALLOWED_HEADERS = [
  'Authorization',
  'Content-Type',
  'Idempotency-Key',
  'Last-Event-ID',
  'X-Request-Id',
  // What the OpenAI SDKs add when they are configured with them.
  'OpenAI-Organization',
  'OpenAI-Project',
];
const EXPOSED_HEADERS = [
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'X-Request-Id',
  'Location',
  'X-Should-Retry',
  'X-Router-Model',
  'X-Router-Attempts',
  'X-Router-Overhead-Ms',
];
const METHODS = ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'];
/** Chromium's own upper bound is 2 h; this is short enough for a change of the list to be felt. */
const PREFLIGHT_SECONDS = 600;

/** The OpenAI SDKs send `x-stainless-*`; with credentials a wildcard is no wildcard, so those asked for are named. */
const stainlessHeaders = (req: Request): string[] =>
  (req.get('Access-Control-Request-Headers') ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => /^x-stainless-[a-z0-9-]{1,40}$/.test(name));

const optionsFor = (req: Request): CorsOptions => ({
  origin: true,
  credentials: true,
  methods: METHODS,
  allowedHeaders: [...ALLOWED_HEADERS, ...stainlessHeaders(req)],
  exposedHeaders: EXPOSED_HEADERS,
  maxAge: PREFLIGHT_SECONDS,
  // An OPTIONS that is no preflight asks what the address can do; its route answers that.
  preflightContinue: req.headers['access-control-request-method'] === undefined,
});

/** CORS (Fetch standard §3.3) for the allowed origins. To all others the answer is as if there were none. */
export const createCors = (origins: Origins): RequestHandler => {
  const allow = cors<Request>((req, done) => done(null, optionsFor(req)));
  return (req, res, next) => {
    res.vary('Origin');
    if (!origins.isAllowedOrigin(req.headers.origin, req)) {
      next();
      return;
    }
    if (req.method === 'OPTIONS') res.vary('Access-Control-Request-Headers');
    allow(req, res, next);
  };
};
