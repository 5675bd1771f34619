import jwt, { type JwtHeader } from 'jsonwebtoken';
import { createHmac, generateKeyPairSync } from 'node:crypto';

/** What a corpus is made of. */
export interface CorpusParts {
  /** A token that is accepted, and a genuine one of somebody else. */
  readonly good: string;
  readonly another: string;
  /** What signs them. */
  readonly secret: string;
}

interface Changes {
  readonly header?: object;
  readonly claims?: unknown;
  readonly secret?: string | Buffer;
  readonly hash?: string;
}

const OTHER = 'x7Ty5-signing-material-of-someone-else-0123456789';

export const base64 = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

export const partsOf = (token: string) => {
  const [header = '', claims = '', signature = ''] = token.split('.');
  const read = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString()) as Record<string, unknown>;
  return { header: read(header), claims: read(claims), raw: { header, claims, signature } };
};

/** Signs anything with the real secret: what is wrong must be seen in the content, not in the signature. */
export const createForge =
  ({ good, secret }: Pick<CorpusParts, 'good' | 'secret'>) =>
  (changes: Changes = {}): string => {
    const { header, claims } = partsOf(good);
    const body = `${base64({ ...header, ...changes.header })}.${base64(changes.claims ?? claims)}`;
    const signature = createHmac(changes.hash ?? 'sha256', changes.secret ?? secret)
      .update(body)
      .digest('base64url');
    return `${body}.${signature}`;
  };

const lastChar = (token: string, to: string): string => `${token.slice(0, -1)}${to}`;

/** Tokens that must all be refused, and with one answer, by name. */
export const badTokens = ({ good, another, secret }: CorpusParts): readonly [name: string, token: string][] => {
  const { header, claims, raw } = partsOf(good);
  const forge = createForge({ good, secret });
  const without = (name: string) => Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name));
  const unsigned = (alg: string): string => `${base64({ ...header, alg })}.${raw.claims}.`;
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const publicPem = publicKey.export({ type: 'spki', format: 'pem' });
  const attackerKey = { kty: 'oct', k: base64(OTHER) };
  return [
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
    ['signature of another token', `${raw.header}.${raw.claims}.${partsOf(another).raw.signature}`],
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
};
