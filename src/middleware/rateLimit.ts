import type { Request, RequestHandler } from 'express';
import { rateLimit, type RateLimitExceededEventHandler, type Store } from 'express-rate-limit';
import { actorKey, ipKey, limitError, type Limiter, type Limits } from '../services/limits/index.ts';

/** express-rate-limit brings the headers and the order of things; the counts are those of every other door. */
const storeOver = (limiter: Limiter): Store => ({
  increment: async (key) => {
    const { used, resetMs } = await limiter.hit(key);
    return { totalHits: used, resetTime: new Date(Date.now() + resetMs) };
  },
  decrement: (key) => limiter.undo(key),
  resetKey: (key) => limiter.reset(key),
});

/** Counts nothing: the use case does, once it knows whether the request is a repetition. */
const lookingAt = (limiter: Limiter): Store => ({
  ...storeOver(limiter),
  increment: async (key) => {
    const { used, resetMs } = await limiter.peek(key);
    return { totalHits: used + 1, resetTime: new Date(Date.now() + resetMs) };
  },
});

interface RateLimitOptions {
  readonly keyOf: (req: Request) => string;
  readonly store: Store;
  /** What happens at one hit too many. */
  readonly handler: RateLimitExceededEventHandler;
}

const refuse: RateLimitExceededEventHandler = (_req, res, next) =>
  next(limitError(Number(res.getHeader('Retry-After')) * 1000));

const createRateLimit = (limiter: Limiter, { keyOf, store, handler }: RateLimitOptions): RequestHandler =>
  rateLimit({
    windowMs: limiter.windowMs,
    limit: limiter.limit,
    // A limit of 0 is none.
    skip: () => limiter.limit === 0,
    identifier: limiter.name,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    keyGenerator: keyOf,
    store,
    // Its hints go to the console and are about setups that the configuration rules out.
    validate: false,
    handler,
  });

const byIp = (req: Request): string => ipKey(req.ip);
const byActor = (req: Request): string => (req.actor ? actorKey(req.actor) : byIp(req));

export interface RateLimits {
  /** Sign-ups and logins, per IP address: someone who guesses passwords is nobody yet. */
  readonly auth: RequestHandler;
  /** All else, per user or API key or, for who is not known, per IP address. */
  readonly api: RequestHandler;
  /** Tells how the limit of sends stands; the use case counts, because it knows a repetition. */
  readonly sends: RequestHandler;
  /** Counts a send where nothing can be a repetition. */
  readonly completions: RequestHandler;
  /** One of the two, for a form that was read: a password is guessed, a refresh token is not. */
  readonly grant: RequestHandler;
}

const isRefreshGrant = (form: unknown): boolean =>
  form !== null && typeof form === 'object' && 'grant_type' in form && form.grant_type === 'refresh_token';

/**
 * The limits of the contract in front of routes, with the headers of draft-ietf-httpapi-ratelimit-headers-08.
 * Answers `RATE_LIMITED` with `Retry-After`.
 */
export const createRateLimits = (limits: Pick<Limits, 'auth' | 'api' | 'chat'>): RateLimits => {
  const auth = createRateLimit(limits.auth, { keyOf: byIp, store: storeOver(limits.auth), handler: refuse });
  const api = createRateLimit(limits.api, { keyOf: byActor, store: storeOver(limits.api), handler: refuse });
  const sends = createRateLimit(limits.chat, {
    keyOf: byActor,
    store: lookingAt(limits.chat),
    handler: (_req, _res, next) => next(),
  });
  const completions = createRateLimit(limits.chat, { keyOf: byActor, store: storeOver(limits.chat), handler: refuse });
  return {
    auth,
    api,
    sends,
    completions,
    grant: (req, res, next) => (isRefreshGrant(req.body) ? api : auth)(req, res, next),
  };
};
