import { createHash } from 'node:crypto';
import { AppError, type FieldError } from '../../lib/errors.ts';
import { codePoints } from '../../schemas/common.ts';
import { commonPasswordDigests } from './commonPasswords.ts';

const MIN_CHARS = 8;
const MAX_CHARS = 128;

export interface PasswordRules {
  /** What keeps a text from being a new password, for people; empty when nothing does. */
  problemsOf(password: string): string[];
  /** @throws AppError `VALIDATION_FAILED` naming `field`, with every problem */
  check(password: string, field: string): void;
}

const COMPOSITION: readonly (readonly [RegExp, string])[] = [
  [/\p{Lu}/u, 'must have an upper-case letter'],
  [/\p{Ll}/u, 'must have a lower-case letter'],
  [/\p{Nd}/u, 'must have a digit'],
];

const digestOf = (password: string): string =>
  createHash('sha256').update(password.toLowerCase()).digest().subarray(0, 6).toString('base64url');

/**
 * What a new password must be: NFKC text of 8–128 code points that is not a common one, in whatever case (ASVS 5.0 §6.2.1,
 * §6.2.4, §6.2.9), and with `full` rules has an upper-case letter, a lower-case letter and a digit.
 */
export const createPasswordRules = (rules: 'full' | 'length'): PasswordRules => {
  const common = commonPasswordDigests();
  const problemsOf = (password: string): string[] => {
    const length = codePoints(password);
    if (length < MIN_CHARS) return [`must have at least ${String(MIN_CHARS)} characters`];
    if (length > MAX_CHARS) return [`must have at most ${String(MAX_CHARS)} characters`];
    const missing = rules === 'full' ? COMPOSITION.filter(([pattern]) => !pattern.test(password)) : [];
    const isCommon = common.has(digestOf(password));
    return [...missing.map(([, message]) => message), ...(isCommon ? ['is one of the most common passwords'] : [])];
  };
  return {
    problemsOf,
    check: (password, field) => {
      const errors = problemsOf(password).map((message): FieldError => ({ path: field, message }));
      if (errors.length > 0) throw new AppError('VALIDATION_FAILED', { errors });
    },
  };
};
