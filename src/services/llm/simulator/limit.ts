import type { Tally } from './books.ts';
import { countTokens, TOKEN_LENGTH } from './text.ts';

/** What a model says and is billed for; each has tokens of its own (`measure` in books.ts). */
const KINDS = ['text', 'reasoning', 'toolArguments'] as const;

export type Kind = (typeof KINDS)[number];

export interface Limit {
  readonly said: Tally;
  /** Infinity: there is none. */
  readonly maxTokens: number;
}

const isFirstHalf = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;

/**
 * As much of the piece as may follow what was said without more than so many tokens in all, by the count of the books.
 * @returns the piece, or its beginning, which never ends in half a character that the rest would have made whole
 */
export const fitting = (piece: string, kind: Kind, { said, maxTokens }: Limit): string => {
  const spent = KINDS.reduce((sum, other) => (other === kind ? sum : sum + countTokens(said[other])), 0);
  const room = Math.max(0, (maxTokens - spent) * TOKEN_LENGTH - said[kind].length);
  // A piece may itself be the first half of a character, which takes the room of both.
  const isHalf = isFirstHalf(piece.charCodeAt(piece.length - 1));
  if (piece.length + Number(isHalf) <= room) return piece;
  const end = Math.min(piece.length, room);
  return piece.slice(0, isFirstHalf(piece.charCodeAt(end - 1)) ? end - 1 : end);
};
