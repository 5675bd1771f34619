import { z } from 'zod';
import { AppError } from '../../lib/errors.ts';

/** Where a page of chats ends: the last one's sorting time and id, for one way of sorting. */
const chatCursor = z.tuple([z.enum(['createdAt', 'updatedAt', '-createdAt', '-updatedAt']), z.int(), z.string()]);
/** Where a page of a branch ends: the id of the next older message. */
const branchCursor = z.tuple([z.literal('branch'), z.string()]);
/** Where a page of the tree ends: the `seq` below which the next page begins. */
const treeCursor = z.tuple([z.literal('tree'), z.int().min(1)]);

const encode = (parts: readonly unknown[]): string => Buffer.from(JSON.stringify(parts)).toString('base64url');

/** @throws AppError `CURSOR_INVALID` */
const decode = <T>(schema: z.ZodType<T>, cursor: string): T => {
  try {
    return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch (error) {
    throw new AppError('CURSOR_INVALID', { cause: error });
  }
};

/** Opaque to clients. It carries no right: every page is read with the owner's id in the key. */
export const cursors = {
  chats: {
    encode: (...parts: z.infer<typeof chatCursor>) => encode(parts),
    decode: (cursor: string) => decode(chatCursor, cursor),
  },
  branch: {
    encode: (id: string) => encode(['branch', id]),
    decode: (cursor: string) => decode(branchCursor, cursor)[1],
  },
  tree: {
    encode: (beforeSeq: number) => encode(['tree', beforeSeq]),
    decode: (cursor: string) => decode(treeCursor, cursor)[1],
  },
};
