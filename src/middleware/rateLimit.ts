import type { Request, RequestHandler } from 'express';
import { rateLimit, type Store } from 'express-rate-limit';
import { ipKey, limitError, userKey, type Limiter, type Limits } from '../services/limits/index.ts';

/** express-rate-limit brings the headers and the order of things; the counts are those of every other door. */
const storeOver = (limiter: Limiter): Store => ({
  increment: async (key) => {
    const { used, resetMs } = await limiter.hit(key);
    return { totalHits: used, resetTime: new Date(Date.now() + resetMs) };
  },
  decrement: (key) => limiter.undo(key),
  resetKey: (key) => limiter.reset(key),
});

const createRateLimit = (limiter: Limiter, keyOf: (req: Request) => string): RequestHandler =>
  rateLimit({
    windowMs: limiter.windowMs,
    limit: limiter.limit,
    // A limit of 0 is none.
    skip: () => limiter.limit === 0,
    identifier: limiter.name,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    keyGenerator: keyOf,
    store: storeOver(limiter),
    // Its hints go to the console and are about setups that the configuration rules out.
    validate: false,
    handler: (_req, res, next) => next(limitError(Number(res.getHeader('Retry-After')) * 1000)),
  });

const byIp = (req: Request): string => ipKey(req.ip);
const byActor = (req: Request): string => (req.actor ? userKey(req.actor.userId) : byIp(req));

export interface RateLimits {
  /** Sign-ups and logins, per IP address: someone who guesses passwords is nobody yet. */
  readonly auth: RequestHandler;
  /** All else, per user or, for who is not known, per IP address. */
  readonly api: RequestHandler;
  /** One of the two, for a form that was read: a password is guessed, a refresh token is not. */
  readonly grant: RequestHandler;
}

const isRefreshGrant = (form: unknown): boolean =>
  form !== null && typeof form === 'object' && 'grant_type' in form && form.grant_type === 'refresh_token';

/**
 * The limits of the contract in front of routes, with the headers of draft-ietf-httpapi-ratelimit-headers-08.
 * Answers `RATE_LIMITED` with `Retry-After`.
 */
export const createRateLimits = (limits: Pick<Limits, 'auth' | 'api'>): RateLimits => {
  const auth = createRateLimit(limits.auth, byIp);
  const api = createRateLimit(limits.api, byActor);
  return { auth, api, grant: (req, res, next) => (isRefreshGrant(req.body) ? api : auth)(req, res, next) };
};
