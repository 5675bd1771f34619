import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { Config } from '../../config/index.ts';

/** What a genuine refresh token names. */
export interface RefreshClaim {
  readonly loginId: string;
  readonly generation: number;
}

export interface RefreshTokens {
  /** The token of a login's generation, as today's secret makes it, with what is stored of it. */
  issue(loginId: string, generation: number): { token: string; hash: string };
  /** What a token names if one of our secrets made it; null for a forged or mangled one. */
  read(token: string): RefreshClaim | null;
  /** The token of that generation whose hash is stored, under whichever secret it was made; null when none fits. */
  rederive(claim: RefreshClaim, hash: string): string | null;
  hashOf(token: string): string;
}

const ID_BYTES = 16;
const GENERATION_BYTES = 4;
const NAME_BYTES = ID_BYTES + GENERATION_BYTES;
const MAC_BYTES = 32;
const TOKEN = /^[\w-]{70}$/;

const nameOf = (loginId: string, generation: number): Buffer => {
  const name = Buffer.alloc(NAME_BYTES);
  name.write(loginId.replaceAll('-', ''), 'hex');
  name.writeUInt32BE(generation, ID_BYTES);
  return name;
};

const claimOf = (name: Buffer): RefreshClaim => ({
  loginId: name.toString('hex', 0, ID_BYTES).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
  generation: name.readUInt32BE(ID_BYTES),
});

/**
 * Refresh tokens: base64url of login id, generation and a 256-bit HMAC over both. The next one of a login can be made again
 * for a client that lost it, while the store holds a hash alone; and a genuine old one is told from a forged one.
 */
export const createRefreshTokens = (config: Pick<Config['auth'], 'jwtSecret' | 'jwtSecretPrevious'>): RefreshTokens => {
  const secrets = [config.jwtSecret, config.jwtSecretPrevious].filter((secret) => secret !== null);
  // A key of its own (RFC 5869), so that no access token's signature is ever part of a refresh token.
  const keys = secrets.map((secret) => Buffer.from(hkdfSync('sha256', secret, '', 'parley refresh token', MAC_BYTES)));
  const macOf = (key: Buffer, name: Buffer): Buffer => createHmac('sha256', key).update(name).digest();
  const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');
  const tokensOf = ({ loginId, generation }: RefreshClaim): string[] => {
    const name = nameOf(loginId, generation);
    return keys.map((key) => Buffer.concat([name, macOf(key, name)]).toString('base64url'));
  };

  return {
    issue: (loginId, generation) => {
      const [token = ''] = tokensOf({ loginId, generation });
      return { token, hash: hashOf(token) };
    },
    read: (token) => {
      const bytes = Buffer.from(token, 'base64url');
      // The pattern and the second encoding leave one spelling for each token.
      if (!TOKEN.test(token) || bytes.toString('base64url') !== token) return null;
      const name = bytes.subarray(0, NAME_BYTES);
      const mac = bytes.subarray(NAME_BYTES);
      return keys.some((key) => timingSafeEqual(macOf(key, name), mac)) ? claimOf(name) : null;
    },
    rederive: (claim, hash) => tokensOf(claim).find((token) => hashOf(token) === hash) ?? null,
    hashOf,
  };
};
