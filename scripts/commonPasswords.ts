/**
 * Writes the list of `src/services/auth/commonPasswords.ts` anew from two lists that are handed in; downloads nothing.
 *
 *     node scripts/commonPasswords.ts <passwords.json> <common-passwords.txt.gz>
 *
 * 1. `src/passwords.json` of npm `@zxcvbn-ts/language-common` 4.1.3 (MIT): `npm pack @zxcvbn-ts/language-common@4.1.3`, unpack.
 * 2. `django/contrib/auth/common-passwords.txt.gz` of PyPI `Django` 5.2 (BSD-3-Clause): `pip download --no-deps Django==5.2`, unzip.
 *
 * Each has the most common password first, as a JSON array (`.json`) or one a line, as it is or packed (`.gz`). The same
 * lists give the same file. What cannot be read, or is empty, ends it with status 1 and nothing written.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type { CommonWords } from '../src/services/auth/commonPasswords.ts';
import { countPieces } from '../src/services/auth/guessablePasswords.ts';

const USAGE = 'Usage: node scripts/commonPasswords.ts <passwords.json> <common-passwords.txt.gz>';
const TARGET = fileURLToPath(new URL('../src/services/auth/commonPasswords.ts', import.meta.url));

/** Of each list, in the order of the arguments, how many from its top are pieces of other passwords. */
const TOPS = [10_000, 5_000] as const;
const MIN_CHARS = 4;
const MAX_CHARS = 24;
/** Nobody may have a shorter password, so a shorter word is of use only as a piece. */
const MIN_PASSWORD_CHARS = 8;
/** A password of so many pieces is refused without being in the list. */
const MOST_GUESSABLE_PIECES = 3;

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const FURTHER = 64 ** 3 - 1;
const LINE_CHARS = 240;
const END_OF_LIST = '\n`;\n';

/** A list, the most common password first, and how many from its top are pieces of others. */
export interface RankedList {
  readonly passwords: readonly string[];
  readonly top: number;
}
export type CountPieces = typeof countPieces;

/**
 * The words, lower-cased, without which some password of the lists would be let through: the short ones first, so that a
 * long one made of them is left out.
 */
export const chooseWords = (lists: readonly RankedList[], countPieces: CountPieces): ReadonlySet<string> => {
  const chosen = new Set<string>();
  const words: CommonWords = {
    endsAt: (text, at) => {
      const ends: number[] = [];
      for (let end = at + MIN_CHARS; end <= Math.min(text.length, at + MAX_CHARS); end += 1) {
        if (chosen.has(text.slice(at, end))) ends.push(end);
      }
      return ends;
    },
  };
  const ranked = lists.flatMap(({ passwords, top }) =>
    passwords.map((password, rank) => ({ word: password.toLowerCase(), isTop: rank < top })),
  );
  const choose = (isWanted: (chars: number) => boolean): void => {
    for (const { word, isTop } of ranked.filter(({ word: { length } }) => isWanted(length))) {
      const isShort = word.length < MIN_PASSWORD_CHARS;
      const isPiece = isTop && (isShort || /^[a-z]+$/.test(word));
      if (isShort && !isPiece) continue;
      if (countPieces(word, [], words) > (isPiece ? 1 : MOST_GUESSABLE_PIECES)) chosen.add(word);
    }
  };
  choose((chars) => chars >= MIN_CHARS && chars < MIN_PASSWORD_CHARS);
  choose((chars) => chars >= MIN_PASSWORD_CHARS && chars <= MAX_CHARS);
  return chosen;
};

/** 30 bits of FNV-1a over UTF-16 units, as `createCommonWords` looks them up. */
const hashOf = (word: string): number => {
  let hash = 0x811c9dc5;
  for (let at = 0; at < word.length; at += 1) hash = Math.imul(hash ^ word.charCodeAt(at), 0x01000193);
  return hash >>> 2;
};

const digit = (value: number): string => DIGITS.charAt(value % 64);
const digitsOf = (distance: number): string =>
  '___'.repeat(Math.floor(distance / FURTHER)) +
  ((rest) => digit(Math.floor(rest / 4096)) + digit(Math.floor(rest / 64)) + digit(rest))(distance % FURTHER);

/** The comment at the top of the file, for so many words. */
export const headerOf = (words: number): string => `/**
 * Common passwords and what they are made of: the words of which every password of the lists below that has at least 8
 * characters can be put together so that \`guessablePasswords.ts\` refuses it. ${words.toLocaleString('en')} words of 4 to 24 characters, lower-cased,
 * each as 30 bits of a hash, sorted; of each its distance to the one before in three digits of base64url, \`___\` being «262,143
 * further». So the tree has no leaked passwords to read; a word is taken for one of these by mistake once in 60,000 times.
 *
 * Made from the ranked lists of npm \`@zxcvbn-ts/language-common\` 4.1.3 (MIT, © Dan Wheeler, Dropbox and zxcvbn-ts; it leaves out
 * repeats and sequences) and of Django 5.2, \`common-passwords.txt.gz\` (BSD-3-Clause, © Django Software Foundation and individual
 * contributors; collected by Royce Williams). Words of less than 8 characters, and longer ones of letters alone to be pieces
 * of others, are from the first 10,000 and 5,000 of them.
 *
 * This comment and DISTANCES are written by \`node scripts/commonPasswords.ts passwords.json common-passwords.txt.gz\`, which
 * says where the two files are found; the code below them is written by hand.
 */
`;

/** The text of `commonPasswords.ts` with these words for those it has; its code stays as it is. */
export const withWords = (source: string, words: ReadonlySet<string>): string => {
  const end = source.indexOf(END_OF_LIST);
  if (end < 0) throw new Error(`${TARGET} has no list that ends in a line of its own.`);
  const hashes = [...new Set([...words].map(hashOf))].sort((a, b) => a - b);
  const digits = hashes.map((hash, index) => digitsOf(hash - (hashes[index - 1] ?? 0))).join('');
  const lines = digits.match(new RegExp(`.{1,${String(LINE_CHARS)}}`, 'g')) ?? [];
  return `${headerOf(hashes.length)}const DISTANCES = \`\n${lines.join('\n')}${source.slice(end)}`;
};

const parse = (path: string): readonly string[] => {
  const bytes = readFileSync(path);
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
  if (!/\.json(\.gz)?$/.test(path)) return text.split(/\r?\n/);
  const list: unknown = JSON.parse(text);
  if (Array.isArray(list) && list.every((item) => typeof item === 'string')) return list;
  throw new Error('not a JSON array of strings');
};

const readList = (path: string): readonly string[] => {
  let passwords: readonly string[];
  try {
    passwords = parse(path).filter((password) => password !== '');
  } catch (error) {
    throw new Error(`${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  if (passwords.length === 0) throw new Error(`${path} is empty.`);
  return passwords;
};

const run = (paths: readonly string[]): void => {
  if (paths.length !== TOPS.length) throw new Error(USAGE);
  const lists = TOPS.map((top, index) => ({ passwords: readList(paths[index]!), top }));
  const words = chooseWords(lists, countPieces);
  writeFileSync(TARGET, withWords(readFileSync(TARGET, 'utf8'), words));
  console.log(`Written: ${String(words.size)} words.`);
};

if (import.meta.main) {
  try {
    run(process.argv.slice(2));
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
