import { AppError } from '../../lib/errors.ts';
import type { UsageRange } from './usage.types.ts';

const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 30;
export const MAX_USAGE_DAYS = 400;

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

const isDate = (text: string): boolean => !text.includes('T');

/** A time is an end that is not in it: midnight belongs to the day that it begins. */
const lastDayOf = (to: string): string => (isDate(to) ? to : dayOf(Date.parse(to) - 1));

const refuse = (path: string, message: string): AppError =>
  new AppError('VALIDATION_FAILED', { errors: [{ path, message }] });

/**
 * The whole UTC days that a period touches. A date names its day, a time is rounded outwards to days; without `to` the
 * period ends today, without `from` it has 30 days.
 * @throws AppError `VALIDATION_FAILED` when it ends before it begins or has over 400 days
 */
export const rangeOf = (
  asked: { readonly from?: string | undefined; readonly to?: string | undefined },
  now: number,
): UsageRange => {
  const to = asked.to === undefined ? dayOf(now) : lastDayOf(asked.to);
  const from = dayOf(asked.from === undefined ? Date.parse(to) - (DEFAULT_DAYS - 1) * DAY_MS : Date.parse(asked.from));
  const days = (Date.parse(to) - Date.parse(from)) / DAY_MS + 1;
  if (days < 1) throw refuse('to', 'must not be before from');
  if (days > MAX_USAGE_DAYS) throw refuse('from', `must be at most ${String(MAX_USAGE_DAYS)} days before to`);
  return { from, to };
};
