import { errorSpec, type ErrorCode } from '../lib/errorCodes.ts';

/** Errors that mean that a token came and was no good. */
const OF_TOKEN: ReadonlySet<ErrorCode> = new Set(['TOKEN_EXPIRED', 'TOKEN_INVALID', 'TOKEN_REVOKED']);

/**
 * What `WWW-Authenticate` says of an error; null unless that is a 401, which must have the field (RFC 9110 §15.5.2). The
 * scheme is RFC 6750's, which wants a parameter, and tells of `invalid_token` only where one came (§3). For `Bearer` no
 * browser asks its user for a password.
 */
export const challengeOf = (code: ErrorCode): string | null => {
  if (errorSpec(code).status !== 401) return null;
  return `Bearer realm="parley"${OF_TOKEN.has(code) ? ', error="invalid_token"' : ''}`;
};
