import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import type { z } from 'zod';
import type { Config } from '../../config/index.ts';

/** Keeps small secrets from whoever reads the database or holds a token: AES-256-GCM, so that nobody can change them either. */
export interface SecretBox {
  /** Names the key that seals; what it names is in everything sealed, and tells nothing of the key. */
  readonly keyId: string;
  /** Names the key of `JWT_SECRET_PREVIOUS`, which opens only; null: there is none. */
  readonly previousKeyId: string | null;
  /** @param context to what it belongs, such as an account: it cannot be opened for another */
  seal(text: string, context: string): string;
  /** Null: not ours, changed, of another context, or sealed under a key that is gone. */
  open(sealed: string, context: string): string | null;
}

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const SEALED = /^([\w-]{8})\.([\w-]{38,})$/;

const nameOf = (key: Buffer): string =>
  createHash('sha256').update('parley key name').update(key).digest('base64url').slice(0, 8);

const encrypt = (key: Buffer, text: string, context: string): string => {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, iv, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(context));
  const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64url');
};

const decrypt = (key: Buffer, bytes: Buffer, context: string): string | null => {
  const iv = bytes.subarray(0, IV_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key, iv, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(context));
  decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]).toString();
  } catch {
    return null;
  }
};

/** What a token of ours holds; null: it is none of this box and context, or of a version with other contents. */
export const openJson = <T>(
  box: SecretBox,
  token: { readonly sealed: string; readonly context: string },
  schema: z.ZodType<T>,
): T | null => {
  const text = box.open(token.sealed, token.context);
  return text === null ? null : (schema.safeParse(JSON.parse(text)).data ?? null);
};

/**
 * A box for one purpose, with keys of its own: HKDF-SHA-256 of `JWT_SECRET`, and of `JWT_SECRET_PREVIOUS` for what was sealed
 * before the last change of keys.
 * @throws Error when there is no secret
 */
export const createSecretBox = (
  { jwtSecret, jwtSecretPrevious }: Pick<Config['auth'], 'jwtSecret' | 'jwtSecretPrevious'>,
  purpose: string,
): SecretBox => {
  if (jwtSecret === null) throw new Error('there is no JWT secret: withDevelopmentSecrets makes one');
  const keyOf = (secret: string): Buffer => Buffer.from(hkdfSync('sha256', secret, '', `parley ${purpose}`, KEY_BYTES));
  const key = keyOf(jwtSecret);
  const previous = jwtSecretPrevious === null ? null : keyOf(jwtSecretPrevious);
  const keyId = nameOf(key);
  const keys = new Map([...(previous ? [[nameOf(previous), previous] as const] : []), [keyId, key] as const]);
  return {
    keyId,
    previousKeyId: previous && nameOf(previous),
    seal: (text, context) => `${keyId}.${encrypt(key, text, context)}`,
    open: (sealed, context) => {
      const [, name = '', body = ''] = SEALED.exec(sealed) ?? [];
      const known = keys.get(name);
      return known ? decrypt(known, Buffer.from(body, 'base64url'), context) : null;
    },
  };
};
