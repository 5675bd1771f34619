import { z } from 'zod';

/** Counts what a person would call characters: Unicode code points (a surrogate pair is one). */
export const codePoints = (text: string): number => {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
};

/** Text of `min` to `max` code points. Lone surrogates are refused: they cannot be stored or sent on as UTF-8. */
export const text = (min: number, max: number): z.ZodType<string> =>
  z
    .string()
    // A cheap bound first: a string of over 2·max units has over max code points.
    .max(max * 2, `must have at most ${String(max)} characters`)
    .refine((value) => value.isWellFormed(), 'must be well-formed Unicode')
    .refine((value) => codePoints(value) <= max, `must have at most ${String(max)} characters`)
    .refine(
      (value) => codePoints(value) >= min,
      min === 1 ? 'must not be empty' : `must have at least ${String(min)} characters`,
    )
    .meta({ minLength: min, maxLength: max });

/** A reference to an entity. Opaque: one that names nothing is «not found», whatever it looks like. */
export const idRef = z.string().min(1).max(64).meta({ format: 'uuid', description: 'UUIDv7, opaque to clients' });

/** An ISO 8601 time in UTC with milliseconds. */
export const timestamp = z.string().meta({ format: 'date-time' });

const cursor = z.string().min(1).max(512).meta({ description: 'Opaque: `nextCursor` of the page before' });

const pageLimit = (fallback: number, max: number): z.ZodType<number> =>
  z.coerce
    .number()
    .int()
    .min(1)
    .max(max)
    .default(fallback)
    .meta({ description: `1–${String(max)}` });

/** The query of every list. */
export const pageQuery = (fallback = 20, max = 100) => ({ limit: pageLimit(fallback, max), cursor: cursor.optional() });

export const pageOf = <T extends z.ZodType>(item: T) =>
  z.strictObject({ items: z.array(item), nextCursor: z.string().nullable() });

/** A page as services return it. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

/** A page as clients see it. */
export const pageView = <T, V>(page: Page<T>, toView: (item: T) => V): Page<V> => ({
  items: page.items.map((item) => toView(item)),
  nextCursor: page.nextCursor,
});

export const flag = z
  .enum(['true', 'false', '1', '0', ''])
  .transform((value) => value !== 'false' && value !== '0')
  .optional();
