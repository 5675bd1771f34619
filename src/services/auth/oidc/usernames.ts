import { randomInt } from 'node:crypto';

/** Room for a number behind it, within the 50 characters of a username. */
const MAX_CHARS = 40;
const MIN_CHARS = 3;
const FALLBACK = 'user';

/** What a name of another service is here: letters without accents, digits and `_` (`Zoë O’Hara` → `Zoe_O_Hara`). */
const toUsername = (name: string): string =>
  name
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^A-Za-z0-9]+/g, '_')
    .slice(0, MAX_CHARS)
    .replaceAll(/^_+|_+$/g, '');

/**
 * Usernames to try for a new account, each likelier to be free than the one before.
 * @param names what the provider calls its user, the best first
 */
export const usernamesFor = (names: readonly string[]): readonly string[] => {
  const base = names.map(toUsername).find((name) => name.length >= MIN_CHARS);
  const numbered = [100, 10_000, 1_000_000_000].map((below) => `${base ?? FALLBACK}_${String(randomInt(below))}`);
  return base === undefined ? numbered : [base, ...numbered];
};
