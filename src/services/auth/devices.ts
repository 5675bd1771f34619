import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Config } from '../../config/index.ts';

/**
 * Tokens by which a device shows that its user logged in on it before: no way in, but failures on it are counted apart, so
 * that nobody else's failures keep its user out (OWASP's «device cookies»).
 */
export interface DeviceTokens {
  /** A token for the user on a device: on the one that `known` names, else on a new one. */
  issue(userId: string, known: string | null): string;
  /** The device's id, if the token is for this user and not too old. */
  read(token: string | undefined, userId: string): string | null;
}

const ID_BYTES = 16;
const TIME_BYTES = 4;
const NAME_BYTES = ID_BYTES + TIME_BYTES;
const KEY_BYTES = 32;
const TOKEN = /^[\w-]{70}$/;

/** How long a device is known after its last login. */
export const DEVICE_TTL_MS = 180 * 86_400_000;

export const createDeviceTokens = (
  config: Pick<Config['auth'], 'jwtSecret' | 'jwtSecretPrevious'>,
  now: () => number,
): DeviceTokens => {
  const secrets = [config.jwtSecret, config.jwtSecretPrevious].filter((secret) => secret !== null);
  const keys = secrets.map((secret) => Buffer.from(hkdfSync('sha256', secret, '', 'parley known device', KEY_BYTES)));
  const macOf = (key: Buffer, name: Buffer, userId: string): Buffer =>
    createHmac('sha256', key).update(name).update(userId).digest();

  return {
    issue: (userId, known) => {
      const name = Buffer.alloc(NAME_BYTES);
      (known === null ? randomBytes(ID_BYTES) : Buffer.from(known, 'hex')).copy(name);
      name.writeUInt32BE(Math.floor(now() / 1000), ID_BYTES);
      const macs = keys.slice(0, 1).map((key) => macOf(key, name, userId));
      return Buffer.concat([name, ...macs]).toString('base64url');
    },
    read: (token, userId) => {
      if (token === undefined || !TOKEN.test(token)) return null;
      const bytes = Buffer.from(token, 'base64url');
      const [name, mac] = [bytes.subarray(0, NAME_BYTES), bytes.subarray(NAME_BYTES)];
      const isOurs = keys.some((key) => timingSafeEqual(macOf(key, name, userId), mac));
      const age = now() - name.readUInt32BE(ID_BYTES) * 1000;
      return isOurs && age < DEVICE_TTL_MS ? name.toString('hex', 0, ID_BYTES) : null;
    },
  };
};
