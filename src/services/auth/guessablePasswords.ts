import { createCommonWords, type CommonWords } from './commonPasswords.ts';

/**
 * A password of this many pieces or fewer is refused. A piece is what guessing programs try as one: a common password or word, a
 * name, a run along the alphabet or the keyboard, a repeat, a date; or one character.
 */
const MOST_GUESSABLE_PIECES = 3;

const SHORTEST_RUN = 3;
const SHORTEST_NAME = 4;
const LONGEST_UNIT = 4;

const ROWS = [
  'abcdefghijklmnopqrstuvwxyz',
  '01234567890',
  '!@#$%^&*()',
  'qwertyuiop[]',
  'asdfghjkl;',
  'zxcvbnm,./',
  'qwertzuiop',
  'yxcvbnm',
  'azertyuiop',
  'qsdfghjklm',
  'wxcvbn',
  'йцукенгшщзхъ',
  'фывапролджэ',
  'ячсмитьбю',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;',
  'qazwsxedcrfvtgbyhnujmikolp',
  '1q2w3e4r5t6y7u8i9o0p',
  'q1w2e3r4t5y6u7i8o9p0',
  '147258369',
  '159357',
];
const RUNS = ROWS.flatMap((row) => [row, [...row].toReversed().join('')]);

const DAY = '(?:0[1-9]|[12]\\d|3[01])';
const MONTH = '(?:0[1-9]|1[0-2])';
const YEAR = '(?:19|20)\\d\\d';
const DATES = [
  YEAR,
  ...[YEAR, '\\d\\d'].flatMap((year) => [DAY + MONTH + year, MONTH + DAY + year, year + MONTH + DAY]),
].map((pattern) => new RegExp(pattern, 'y'));

/** What is written for what; a one for an i or an l. */
const LEET: Readonly<Record<string, string>> = {
  '@': 'a',
  '4': 'a',
  '8': 'b',
  '3': 'e',
  '0': 'o',
  $: 's',
  '5': 's',
  '7': 't',
};
const spell = (text: string, one: string): string =>
  [...text].map((char) => (char === '1' || char === '!' ? one : (LEET[char] ?? char))).join('');

/** Where a piece that begins at some place may end, and as how many it counts. */
type Ends = readonly (readonly [end: number, pieces: number])[];

const from = (first: number, last: number, pieces: number): Ends =>
  Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => [first + index, pieces] as const);

const runsAt = (text: string, at: number): Ends => {
  const start = text.slice(at, at + SHORTEST_RUN);
  if (start.length < SHORTEST_RUN) return [];
  return RUNS.flatMap((row) => {
    const place = row.indexOf(start);
    if (place < 0) return [];
    let length = SHORTEST_RUN;
    while (at + length < text.length && text[at + length] === row[place + length]) length += 1;
    return from(at + SHORTEST_RUN, at + length, 1);
  });
};

/** One character again and again is one piece, a short unit again and again two. */
const repeatsAt = (text: string, at: number): Ends =>
  Array.from({ length: LONGEST_UNIT }, (_, index) => index + 1).flatMap((unit) => {
    let end = at + unit;
    while (end < text.length && text[end] === text[end - unit]) end += 1;
    // Of a long repeat its end alone, and what is left of it when the next piece begins in it.
    const first = Math.max(at + Math.max(SHORTEST_RUN, 2 * unit), end - LONGEST_UNIT);
    return from(first, end, unit === 1 ? 1 : 2);
  });

const datesAt = (text: string, at: number): Ends =>
  DATES.flatMap((date) => {
    date.lastIndex = at;
    return date.test(text) ? [[date.lastIndex, 1] as const] : [];
  });

const namesAt = (spellings: readonly string[], at: number, names: readonly string[]): Ends =>
  names.flatMap((name) =>
    spellings.some((text) => text.startsWith(name, at)) ? [[at + name.length, 1] as const] : [],
  );

/** The fewest pieces that a password can be cut into; of `names` those that are long enough are pieces, too. */
export const countPieces = (password: string, names: readonly string[], words: CommonWords): number => {
  const text = password.toLowerCase();
  const spellings = [...new Set([text, spell(text, 'i'), spell(text, 'l')])].filter(
    ({ length }) => length === text.length,
  );
  const fewest = Array.from({ length: text.length + 1 }, (_, at) => at);
  for (let at = 0; at < text.length; at += 1) {
    const ends: Ends = [
      [at + 1, 1],
      ...runsAt(text, at),
      ...repeatsAt(text, at),
      ...datesAt(text, at),
      ...namesAt(spellings, at, names),
      ...spellings.flatMap((spelling) => words.endsAt(spelling, at).map((end) => [end, 1] as const)),
    ];
    for (const [end, pieces] of ends) {
      fewest[end] = Math.min(fewest[end] ?? Infinity, (fewest[at] ?? Infinity) + pieces);
    }
  }
  return fewest[text.length] ?? Infinity;
};

/** The words of an address or name that somebody would take for a password: `ada.lovelace@example.com` has three. */
export const wordsOf = (...texts: readonly string[]): string[] =>
  texts
    .flatMap((text) => [text, ...text.split(/[^\p{L}\p{N}]+/u)])
    .map((word) => word.toLowerCase())
    .filter((word) => word.length >= SHORTEST_NAME);

/**
 * Tells passwords that guessing programs try early: common ones (ASVS 5.0 §6.2.4), what is made of them, and of the words that
 * are given (§6.2.11), in whatever case and with the usual signs for letters. Takes a tenth of a millisecond, for 128 characters a few.
 */
export const createGuessablePasswords = () => {
  const words = createCommonWords();
  return (password: string, names: readonly string[]): boolean =>
    countPieces(password, names, words) <= MOST_GUESSABLE_PIECES;
};
