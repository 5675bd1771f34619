import { describe, expect, test } from '@jest/globals';
import jwt, { type JwtHeader } from 'jsonwebtoken';
import { newId } from '../../src/lib/ids.ts';
import { createAccessTokens } from '../../src/services/auth/tokens.ts';
import { badTokens, createForge, partsOf } from '../support/jwtCorpus.ts';

const SECRET = 'k3Zr8-signing-material-of-this-test-0123456789';
const PREVIOUS = 'p9Qw2-signing-material-of-last-month-0123456789';
const MINUTE_MS = 60_000;

const clockAt = (ms: number) => ({ now: () => ms });
const start = Date.UTC(2026, 10, 21, 12, 0, 0, 250);
const create = (overrides = {}, ms = start) =>
  createAccessTokens(
    { jwtSecret: SECRET, jwtSecretPrevious: null, jwtIssuer: 'parley', accessTokenTtlMs: 15 * MINUTE_MS, ...overrides },
    clockAt(ms),
  );
const tokens = create();
const user = { id: newId(), role: 'manager' } as const;
const loginId = newId();
const farEnd = new Date(start + 86_400_000);
const good = tokens.issue(user, loginId, farEnd).accessToken;

const { header, claims } = partsOf(good);
const forge = createForge({ good, secret: SECRET });

const codeOf = (token: string, verifier = tokens): string => {
  try {
    verifier.verify(token);
    return 'accepted';
  } catch (error) {
    return String((error as { code: unknown }).code);
  }
};

describe('access tokens', () => {
  test('a token, issued, has the documented header and claims and nothing else', () => {
    expect(header).toEqual({ alg: 'HS256', typ: 'at+jwt', kid: expect.stringMatching(/^[\w-]{12}$/) });
    const iat = Math.floor(start / 1000);
    expect(claims).toEqual({
      iss: 'parley',
      aud: 'parley',
      sub: user.id,
      sid: loginId,
      role: 'manager',
      iat,
      exp: iat + 900,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  test('a token, verified, tells who, which login, which role and until when', () => {
    const expiresAt = new Date(Math.floor(start / 1000) * 1000 + 15 * MINUTE_MS);
    expect(tokens.verify(good)).toEqual({ userId: user.id, loginId, role: 'manager', expiresAt });
  });

  test('the control of the corpus, a token forged without any change, is accepted', () => {
    expect(codeOf(forge())).toBe('accepted');
    expect(codeOf(jwt.sign(claims, SECRET, { header: header as unknown as JwtHeader }))).toBe('accepted');
  });

  test('two tokens of one moment, issued, differ by their jti', () => {
    expect(tokens.issue(user, loginId, farEnd).accessToken).not.toBe(good);
  });

  test('a token of a login that ends sooner, issued, ends with it', () => {
    const { accessToken, expiresInSeconds } = tokens.issue(user, loginId, new Date(start + MINUTE_MS));
    expect(expiresInSeconds).toBe(60);
    expect(codeOf(accessToken, create({}, start + 61_000))).toBe('TOKEN_EXPIRED');
  });

  test('a token, verified up to its last second, is good, and from then on TOKEN_EXPIRED', () => {
    const end = Math.floor(start / 1000) * 1000 + 15 * MINUTE_MS;
    expect(codeOf(good, create({}, end - 1))).toBe('accepted');
    expect(codeOf(good, create({}, end))).toBe('TOKEN_EXPIRED');
  });

  test('a token of the previous secret, verified after a change, is good; without it, it is not', () => {
    const old = create({ jwtSecret: PREVIOUS }).issue(user, loginId, farEnd).accessToken;
    expect(codeOf(old, create({ jwtSecretPrevious: PREVIOUS }))).toBe('accepted');
    expect(codeOf(old)).toBe('TOKEN_INVALID');
  });

  test('no secret, at creation, is refused', () => {
    expect(() => create({ jwtSecret: null })).toThrow('no JWT secret');
  });
});

describe('forged access tokens are all TOKEN_INVALID', () => {
  const corpus = badTokens({ good, another: tokens.issue(user, newId(), farEnd).accessToken, secret: SECRET });

  test.each([...corpus])('%s', (_name, token) => {
    expect(codeOf(token)).toBe('TOKEN_INVALID');
  });

  test('all of them, and no fewer than forty, give one and the same error text', () => {
    const texts = corpus.map(([, token]) => {
      try {
        tokens.verify(token);
        return 'accepted';
      } catch (error) {
        return (error as Error).message;
      }
    });
    expect(corpus.length).toBeGreaterThanOrEqual(40);
    expect([...new Set(texts)]).toEqual(['The token is not valid']);
  });
});
