/** Careful looks at JSON that somebody else wrote: everything is unknown until it was seen to be something. */

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The field of an object; undefined of anything else. */
export const fieldOf = (value: unknown, name: string): unknown => (isRecord(value) ? value[name] : undefined);

export const textOf = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

/** A non-negative whole number, or null. */
export const countOf = (value: unknown): number | null =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;

/** What the text says as JSON; undefined when it is not JSON (no JSON text means undefined). */
export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
