import { createHash, randomInt } from 'node:crypto';

/** How many an account gets, for days without its authenticator. */
const COUNT = 10;
/** Without those that are mistaken for others: 0, 1, 8 and 9 (RFC 4648 §6). */
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const GROUPS = 4;
const GROUP_CHARS = 6;
const CODE = /^[a-z2-7]{24}$/;

const newCode = (): string => {
  const group = (): string =>
    Array.from({ length: GROUP_CHARS }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join('');
  return Array.from({ length: GROUPS }, group).join('-');
};

/** Ten codes of 120 random bits: so many that a plain hash is enough to keep them (ASVS 5.0 §6.5.2). */
export const newRecoveryCodes = (): string[] => Array.from({ length: COUNT }, newCode);

/** A code as it was meant, whatever its case and dashes; null: it is none. */
export const readRecoveryCode = (typed: string): string | null => {
  const code = typed.toLowerCase().replaceAll(/[\s-]/g, '').replaceAll('0', 'o').replaceAll('1', 'l');
  return CODE.test(code) ? code : null;
};

/** SHA-256 of a code as read or made. */
export const recoveryHash = (code: string): string =>
  createHash('sha256').update(code.replaceAll('-', '')).digest('base64url');
