import { z } from 'zod';
import { AppError } from './errors.ts';

/** Where a page of a list by time ends: at the entry made then, with that id. */
export interface TimePosition {
  readonly at: Date;
  readonly id: string;
}

const cursorSchema = z.tuple([z.string(), z.int(), z.string()]);

/** Milliseconds since the epoch that a `Date` can hold (ECMA-262 §21.4.1.1). */
const MAX_TIME = 8.64e15;

/**
 * The position that a cursor of this list names; null for none, which is the beginning.
 * @throws AppError `CURSOR_INVALID`
 */
export const readTimeCursor = (list: string, cursor: string | undefined): TimePosition | null => {
  if (cursor === undefined) return null;
  try {
    const [name, time, id] = cursorSchema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
    if (name === list && Math.abs(time) <= MAX_TIME) return { at: new Date(time), id };
  } catch (error) {
    throw new AppError('CURSOR_INVALID', { cause: error });
  }
  throw new AppError('CURSOR_INVALID');
};

/**
 * A page out of up to `limit + 1` entries: the one too many tells that there are more.
 * The cursor is opaque to clients and carries no right: every page is read with its owner in the key.
 */
export const toTimePage = <T extends { readonly id: string }>(
  entries: readonly T[],
  options: { readonly list: string; readonly limit: number; readonly timeOf: (entry: T) => Date },
): { readonly items: readonly T[]; readonly nextCursor: string | null } => {
  const items = entries.slice(0, options.limit);
  const last = items.at(-1);
  if (entries.length <= options.limit || last === undefined) return { items, nextCursor: null };
  const position = [options.list, options.timeOf(last).getTime(), last.id];
  return { items, nextCursor: Buffer.from(JSON.stringify(position)).toString('base64url') };
};
