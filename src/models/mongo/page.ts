import { trusted } from 'mongoose';
import type { CreationPage } from '../stores.ts';

/**
 * The bound of a list by time, the newest first: rows before the last one of the page before. Without one, no condition.
 * @param field the time that the list is sorted by, and `_id` behind it
 */
export const beforeLast = (field: 'createdAt' | 'at', after: CreationPage['after']) =>
  after
    ? { $or: [{ [field]: trusted({ $lt: after.at }) }, { [field]: after.at, _id: trusted({ $lt: after.id }) }] }
    : {};

/** Text as a pattern that matches it and nothing else; NUL spelled out, since patterns may not hold one. */
export const literally = (text: string): string =>
  text.replace(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`).replaceAll('\0', String.raw`\x00`);
