import { describe, expect, test } from '@jest/globals';
import jwt, { type JwtHeader } from 'jsonwebtoken';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { newId } from '../../src/lib/ids.ts';
import { createAccessTokens } from '../../src/services/auth/tokens.ts';

const SECRET = 'k3Zr8-signing-material-of-this-test-0123456789';
const PREVIOUS = 'p9Qw2-signing-material-of-last-month-0123456789';
const OTHER = 'x7Ty5-signing-material-of-someone-else-0123456789';
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

const base64 = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const parts = (token: string) => {
  const [header = '', claims = '', signature = ''] = token.split('.');
  const read = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString()) as Record<string, unknown>;
  return { header: read(header), claims: read(claims), raw: { header, claims, signature } };
};
const { header, claims, raw } = parts(good);

/** Signs anything with the real secret: what is wrong must be seen in the content, not in the signature. */
const forge = (
  changes: { header?: object; claims?: unknown; secret?: string | Buffer; hash?: string } = {},
): string => {
  const body = `${base64({ ...header, ...changes.header })}.${base64(changes.claims ?? claims)}`;
  const signature = createHmac(changes.hash ?? 'sha256', changes.secret ?? SECRET)
    .update(body)
    .digest('base64url');
  return `${body}.${signature}`;
};
const without = (name: string) => Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name));
const unsigned = (alg: string): string => `${base64({ ...header, alg })}.${raw.claims}.`;

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

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const publicPem = publicKey.export({ type: 'spki', format: 'pem' });
const attackerKey = { kty: 'oct', k: base64(OTHER) };
const lastChar = (token: string, to: string): string => `${token.slice(0, -1)}${to}`;

describe('forged access tokens are all TOKEN_INVALID', () => {
  const corpus: [string, string][] = [
    ['alg none', unsigned('none')],
    ['alg None', unsigned('None')],
    ['alg NONE', unsigned('NONE')],
    ['alg nOnE', unsigned('nOnE')],
    ['alg none with the old signature', `${unsigned('none')}${raw.signature}`],
    ['alg empty', unsigned('')],
    ['alg HS256, no signature', `${raw.header}.${raw.claims}.`],
    ['alg HS384', forge({ header: { alg: 'HS384' }, hash: 'sha384' })],
    ['alg HS512', forge({ header: { alg: 'HS512' }, hash: 'sha512' })],
    ['alg hs256', forge({ header: { alg: 'hs256' } })],
    ['alg an array', forge({ header: { alg: ['HS256'] } })],
    [
      'alg RS256 by a key of the attacker',
      jwt.sign(claims, privateKey, { algorithm: 'RS256', header: { ...header, alg: 'RS256' } as unknown as JwtHeader }),
    ],
    ['HS256 by a public key as the secret', forge({ secret: publicPem })],
    ['alg RS256 with our HMAC', forge({ header: { alg: 'RS256' } })],
    ['another secret', forge({ secret: OTHER })],
    ['an empty secret', forge({ secret: '' })],
    ['kid unknown', forge({ header: { kid: 'unknown' } })],
    ['kid missing', forge({ header: { kid: undefined } })],
    ['kid a path', forge({ header: { kid: '../../../../dev/null' }, secret: '' })],
    ['kid SQL', forge({ header: { kid: "' UNION SELECT 'x' --" } })],
    ['kid a number', forge({ header: { kid: 1 } })],
    ['kid __proto__', forge({ header: { kid: '__proto__' } })],
    ['jku', forge({ header: { jku: 'https://attacker.example/keys' } })],
    ['jwk', forge({ header: { jwk: attackerKey }, secret: OTHER })],
    ['jwk with the right signature', forge({ header: { jwk: attackerKey } })],
    ['x5u', forge({ header: { x5u: 'https://attacker.example/cert' } })],
    ['x5c', forge({ header: { x5c: ['MIIB'] } })],
    ['crit unknown', forge({ header: { crit: ['exp2'], exp2: 1 } })],
    ['crit empty', forge({ header: { crit: [] } })],
    ['crit b64', forge({ header: { crit: ['b64'], b64: false } })],
    ['typ missing', forge({ header: { typ: undefined } })],
    ['typ JWT', forge({ header: { typ: 'JWT' } })],
    ['typ refresh', forge({ header: { typ: 'rt+jwt' } })],
    ['cty JWT', forge({ header: { cty: 'JWT' } })],
    ...['iss', 'aud', 'sub', 'sid', 'role', 'iat', 'exp', 'jti'].map((name): [string, string] => [
      `${name} missing`,
      forge({ claims: without(name) }),
    ]),
    ['exp a string', forge({ claims: { ...claims, exp: String(claims.exp) } })],
    ['exp a fraction', forge({ claims: { ...claims, exp: Number(claims.exp) + 0.5 } })],
    ['exp null', forge({ claims: { ...claims, exp: null } })],
    ['exp beyond numbers', forge({ claims: JSON.stringify(claims).replace(/"exp":\d+/, '"exp":1e999') })],
    ['nbf in the future', forge({ claims: { ...claims, nbf: 9_999_999_999 } })],
    ['iss wrong', forge({ claims: { ...claims, iss: 'parley2' } })],
    ['iss an array', forge({ claims: { ...claims, iss: ['parley'] } })],
    ['aud wrong', forge({ claims: { ...claims, aud: 'other' } })],
    ['aud an array', forge({ claims: { ...claims, aud: ['parley', 'other'] } })],
    ['sub an object', forge({ claims: { ...claims, sub: { $ne: null } } })],
    ['sub empty', forge({ claims: { ...claims, sub: '' } })],
    ['role unknown', forge({ claims: { ...claims, role: 'root' } })],
    ['claims an array', forge({ claims: [claims] })],
    ['claims a string', forge({ claims: JSON.stringify('admin') })],
    ['claims no JSON', forge({ claims: 'no json' })],
    [
      'claims changed under the old signature',
      `${raw.header}.${base64({ ...claims, role: 'admin' })}.${raw.signature}`,
    ],
    ['signature truncated', good.slice(0, -4)],
    ['signature of one character', `${raw.header}.${raw.claims}.A`],
    [
      'signature of another token',
      `${raw.header}.${raw.claims}.${parts(tokens.issue(user, newId(), farEnd).accessToken).raw.signature}`,
    ],
    ['signature in another spelling', lastChar(good, String.fromCharCode(good.charCodeAt(good.length - 1) + 1))],
    ['padding added', `${good}=`],
    ['a part too many', `${good}.${raw.signature}`],
    ['a part too few', `${raw.header}.${raw.claims}`],
    ['a space before', ` ${good}`],
    ['a newline after', `${good}\n`],
    ['empty', ''],
    ['dots', '..'],
    ['no JSON', 'a.b.c'],
    ['a header that is an array', `${base64([])}.${raw.claims}.${raw.signature}`],
    ['64 KB', `${raw.header}.${base64('x'.repeat(49_152))}.${raw.signature}`],
    ['64 KB, signed', forge({ claims: { ...claims, padding: 'x'.repeat(49_152) } })],
  ];

  test.each(corpus)('%s', (_name, token) => {
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
