import { createHash, randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';

const MARK = 'parley_sk_';
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 43 characters of 62 are 256.03 bits. */
const RANDOM_CHARS = 43;
/** As many as 32 bits take. */
const CHECK_CHARS = 6;
const KEY = new RegExp(`^${MARK}[0-9A-Za-z]{${String(RANDOM_CHARS + CHECK_CHARS)}}$`);
/** The mark and six characters: enough to tell one's keys apart, and of no use to guess the rest. */
const PREFIX_CHARS = MARK.length + 6;

const toBase62 = (value: number): string => {
  let rest = value;
  let text = '';
  for (let count = 0; count < CHECK_CHARS; count += 1) {
    text = ALPHABET.charAt(rest % ALPHABET.length) + text;
    rest = Math.floor(rest / ALPHABET.length);
  }
  return text;
};

const checkOf = (text: string): string => toBase62(crc32(text));

export interface NewApiKeyToken {
  readonly token: string;
  readonly hash: string;
  readonly prefix: string;
}

/** What is stored of a key. A plain hash is enough: 256 random bits cannot be tried out. */
export const hashApiKey = (token: string): string => createHash('sha256').update(token).digest('hex');

/** A new key: `parley_sk_`, 256 random bits, and a checksum that scanners for leaked keys can verify, too. */
export const makeApiKey = (): NewApiKeyToken => {
  const random = Array.from({ length: RANDOM_CHARS }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join('');
  const token = `${MARK}${random}${checkOf(`${MARK}${random}`)}`;
  return { token, hash: hashApiKey(token), prefix: token.slice(0, PREFIX_CHARS) };
};

/** Whether a credential claims to be an API key. */
export const isApiKey = (token: string): boolean => token.startsWith(MARK);

/** Whether it could be one of ours: a key that was mistyped or cut is told without a look into the database. */
export const isWellFormedApiKey = (token: string): boolean =>
  KEY.test(token) && checkOf(token.slice(0, -CHECK_CHARS)) === token.slice(-CHECK_CHARS);
