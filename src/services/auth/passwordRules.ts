import { AppError, type FieldError } from '../../lib/errors.ts';
import { codePoints } from '../../schemas/common.ts';
import { createGuessablePasswords, wordsOf } from './guessablePasswords.ts';

const MIN_CHARS = 8;
const MAX_CHARS = 128;
const GUESSABLE =
  'is easy to guess: a common password, or little more than one, a name, a sequence, a repeat or a date';

/** Whose password it is to be. */
export interface PasswordOwner {
  readonly username: string;
  readonly email: string;
}

export interface PasswordRules {
  /** What keeps a text from being a new password, for people; empty when nothing does. */
  problemsOf(password: string, owner?: PasswordOwner): string[];
  /** @throws AppError `VALIDATION_FAILED` naming `field`, with every problem */
  check(password: string, field: string, owner?: PasswordOwner): void;
}

const COMPOSITION: readonly (readonly [RegExp, string])[] = [
  [/\p{Lu}/u, 'must have an upper-case letter'],
  [/\p{Ll}/u, 'must have a lower-case letter'],
  [/\p{Nd}/u, 'must have a digit'],
];

/**
 * What a new password must be: NFKC text of 8–128 code points that is not easy to guess, which is to say not a common one nor
 * made of little more than one, of names of its owner and the service, repeats, sequences or dates (ASVS 5.0 §6.2.1, §6.2.4,
 * §6.2.11), and with `full` rules has an upper-case letter, a lower-case letter and a digit.
 * @param service how people know the service: its names or addresses
 */
export const createPasswordRules = (rules: 'full' | 'length', service: readonly string[] = []): PasswordRules => {
  const isGuessable = createGuessablePasswords();
  const serviceWords = wordsOf(...service);
  const problemsOf: PasswordRules['problemsOf'] = (password, owner) => {
    const length = codePoints(password);
    if (length < MIN_CHARS) return [`must have at least ${String(MIN_CHARS)} characters`];
    if (length > MAX_CHARS) return [`must have at most ${String(MAX_CHARS)} characters`];
    const missing = rules === 'full' ? COMPOSITION.filter(([pattern]) => !pattern.test(password)) : [];
    const names = [...serviceWords, ...(owner ? wordsOf(owner.username, owner.email) : [])];
    return [...missing.map(([, message]) => message), ...(isGuessable(password, names) ? [GUESSABLE] : [])];
  };
  return {
    problemsOf,
    check: (password, field, owner) => {
      const errors = problemsOf(password, owner).map((message): FieldError => ({ path: field, message }));
      if (errors.length > 0) throw new AppError('VALIDATION_FAILED', { errors });
    },
  };
};
