import { createHash } from 'node:crypto';
import { z } from 'zod';
import { AppError } from '../../lib/errors.ts';

/** How far a device has come. */
export interface SyncCursor {
  /** What the store calls the place. */
  readonly position: string;
  /**
   * Milliseconds since the epoch: everything that changed before, the device has. Pages of one catching-up keep the time at
   * which it began to be behind, until it is not: a device that stops in the middle and goes on weeks later must not
   * look younger than the deletions that it has yet to be told.
   */
  readonly completeAt: number;
}

const cursorSchema = z.tuple([z.literal('sync'), z.string(), z.int(), z.string()]);

/**
 * Nobody gains anything by making a cursor, since every page is read with the owner's id in the key. It is for mistakes: a
 * cursor that was cut, or kept when another account logged in, would silently skip changes.
 */
const checksum = (ownerId: string, { position, completeAt }: SyncCursor): string =>
  createHash('sha256')
    .update(JSON.stringify([ownerId, position, completeAt]))
    .digest('base64url')
    .slice(0, 16);

export const encodeSyncCursor = (ownerId: string, cursor: SyncCursor): string => {
  const parts = ['sync', cursor.position, cursor.completeAt, checksum(ownerId, cursor)];
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
};

/** @throws AppError `CURSOR_INVALID` for what was not made for this account */
export const decodeSyncCursor = (ownerId: string, text: string): SyncCursor => {
  try {
    const [, position, completeAt] = cursorSchema.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
    const cursor = { position, completeAt };
    if (encodeSyncCursor(ownerId, cursor) !== text) throw new Error('not ours');
    return cursor;
  } catch (error) {
    throw new AppError('CURSOR_INVALID', { cause: error });
  }
};
