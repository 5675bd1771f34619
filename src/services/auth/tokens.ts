import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { Config } from '../../config/index.ts';
import type { Clock } from '../../lib/clock.ts';
import { AppError } from '../../lib/errors.ts';
import { newId } from '../../lib/ids.ts';
import type { Role } from '../../models/entities.ts';

/** What an access token says: who, under which login, until when. */
export interface AccessClaims {
  readonly userId: string;
  readonly loginId: string;
  readonly role: Role;
  readonly expiresAt: Date;
}

export interface AccessTokens {
  /** @param notAfter the login's own end: no token outlives its login */
  issue(user: { readonly id: string; readonly role: Role }, loginId: string, notAfter: Date): IssuedToken;
  /** @throws AppError `TOKEN_EXPIRED` for a token of ours that has run out, `TOKEN_INVALID` for everything else */
  verify(token: string): AccessClaims;
}

export interface IssuedToken {
  readonly accessToken: string;
  readonly expiresInSeconds: number;
}

const ALGORITHM = 'HS256';
const TYPE = 'at+jwt';
/** Ours have about 400 characters; a larger one need not be looked at. */
const MAX_TOKEN_CHARS = 2048;
/** Tokens whose signature need not be checked again; who calls often comes with the same one each time. */
const MAX_KNOWN_TOKENS = 2_000;

/**
 * The whole header: nothing else is understood, so `crit`, `jku`, `jwk` and `x5u` are refused with all other additions
 * (RFC 8725 §3.1, §3.11; RFC 7515 §4.1.11; jsonwebtoken itself accepts an unknown `crit`).
 */
const headerSchema = z.strictObject({ alg: z.literal(ALGORITHM), typ: z.literal(TYPE), kid: z.string() });

/** Every claim is required (RFC 9068 §2.2): jsonwebtoken accepts a token without `exp`. */
const claimsSchema = z.object({
  iss: z.string(),
  aud: z.string(),
  sub: z.string().min(1),
  sid: z.string().min(1),
  role: z.enum(['user', 'manager', 'admin']),
  iat: z.int(),
  exp: z.int(),
  jti: z.string().min(1),
});

/** A name for a secret that tells nothing of it, and is the same on every node. */
const keyIdOf = (secret: string): string =>
  createHmac('sha256', secret).update('parley key id').digest('base64url').slice(0, 12);

const readHeader = (token: string): z.infer<typeof headerSchema> => {
  const [header = '', , , ...rest] = token.split('.');
  if (token.length > MAX_TOKEN_CHARS || rest.length > 0) throw new Error('too long');
  return headerSchema.parse(JSON.parse(Buffer.from(header, 'base64url').toString()));
};

/**
 * Access tokens: JWT HS256, `typ: at+jwt`, `kid`, signed with `JWT_SECRET`; those of `JWT_SECRET_PREVIOUS` stay good.
 * @throws Error when there is no secret
 */
export const createAccessTokens = (
  config: Pick<Config['auth'], 'jwtSecret' | 'jwtSecretPrevious' | 'jwtIssuer' | 'accessTokenTtlMs'>,
  clock: Clock,
): AccessTokens => {
  const { jwtSecret, jwtSecretPrevious, jwtIssuer: issuer } = config;
  if (jwtSecret === null) throw new Error('there is no JWT secret: withDevelopmentSecrets makes one');
  const keys = new Map<string, KeyObject>();
  for (const secret of [jwtSecretPrevious, jwtSecret]) {
    if (secret !== null) keys.set(keyIdOf(secret), createSecretKey(secret, 'utf8'));
  }
  const signingKey = createSecretKey(jwtSecret, 'utf8');
  const kid = keyIdOf(jwtSecret);

  /** A signature is good for as long as the keys are, which is until the process ends; all else is judged each time. */
  const good = new LRUCache<string, z.infer<typeof claimsSchema>>({ max: MAX_KNOWN_TOKENS });

  const check = (token: string): z.infer<typeof claimsSchema> => {
    const key = keys.get(readHeader(token).kid);
    if (!key) throw new Error('unknown kid');
    // Expiry is judged below, by our clock, once everything else is known to be right.
    const options = { issuer, audience: issuer, ignoreExpiration: true };
    return claimsSchema.parse(jwt.verify(token, key, { ...options, algorithms: [ALGORITHM] }));
  };

  const checked = (token: string): z.infer<typeof claimsSchema> => {
    // By its digest: no token stays in memory for it.
    const digest = hash('sha256', token, 'base64url');
    const known = good.get(digest);
    if (known) return known;
    try {
      const claims = check(token);
      good.set(digest, claims);
      return claims;
    } catch (error) {
      // One answer, whatever is wrong: the difference would help only a forger.
      throw new AppError('TOKEN_INVALID', { cause: error });
    }
  };

  return {
    issue: (user, loginId, notAfter) => {
      const iat = Math.floor(clock.now() / 1000);
      const exp = Math.min(iat + Math.floor(config.accessTokenTtlMs / 1000), Math.floor(notAfter.getTime() / 1000));
      const claims = { iss: issuer, aud: issuer, sub: user.id, sid: loginId, role: user.role, iat, exp, jti: newId() };
      const header = { alg: ALGORITHM, typ: TYPE, kid };
      return { accessToken: jwt.sign(claims, signingKey, { header }), expiresInSeconds: exp - iat };
    },
    verify: (token) => {
      const { sub, sid, role, exp } = checked(token);
      if (exp * 1000 <= clock.now()) throw new AppError('TOKEN_EXPIRED');
      return { userId: sub, loginId: sid, role, expiresAt: new Date(exp * 1000) };
    },
  };
};
