import { trusted } from 'mongoose';
import { fitting, readEntities, sumOf, type ChangePart } from './changeRows.ts';
import type { ChangeSets, UnlistedRows } from './changeSets.ts';
import { toChat } from './chat.rows.ts';
import type { Collections } from './collections.ts';
import type { Scan, SyncPosition } from './syncPosition.ts';

/**
 * Reads an account from the beginning: its chats, then its messages, each along an index that does not move. What changes
 * meanwhile is found in the change sets from where their chain ended when the read began.
 */
export const createFullRead = (collections: Collections, sets: ChangeSets) => {
  const { chats, messages } = collections;

  /**
   * Lists those of the rows that nobody had listed, so that the reader need not be told of them a second time: if no other
   * set came between, it has what the new one holds.
   */
  const listed = async (ownerId: string, position: SyncPosition, rows: UnlistedRows): Promise<SyncPosition> => {
    if (rows.chats.length + rows.messages.length === 0) return position;
    const { number, previous } = await sets.add(ownerId, rows);
    return previous === position.number ? { ...position, number } : position;
  };

  const scanChats = async (ownerId: string, from: SyncPosition, page: ChangePart['used']): Promise<ChangePart> => {
    const after = from.scan?.after;
    const at = new Date(after?.number ?? 0);
    const behind = after
      ? { $or: [{ createdAt: trusted({ $gt: at }) }, { createdAt: at, _id: trusted({ $gt: after.id }) }] }
      : {};
    const found = await chats
      .find({ ownerId, deleted: false, ...behind })
      .sort({ createdAt: 1, _id: 1 })
      .limit(page.limit + 1)
      .readConcern('majority')
      .lean();
    const rows = found.slice(0, page.limit);
    const last = rows.at(-1);
    const isOver = found.length <= page.limit || !last;
    const scan: Scan = isOver
      ? { in: 'messages', after: null }
      : { in: 'chats', after: { number: last.createdAt.getTime(), id: last._id } };
    const unlisted = rows.filter((row) => row.unlisted);
    const position = await listed(ownerId, { ...from, scan }, { chats: unlisted, messages: [], tombstones: [] });
    const used = { limit: rows.length, maxBytes: 0 };
    return { chats: rows.map(toChat), messages: [], deleted: [], position, more: true, used };
  };

  const scanMessages = async (ownerId: string, from: SyncPosition, page: ChangePart['used']): Promise<ChangePart> => {
    const after = from.scan?.after;
    const behind = after
      ? { $or: [{ chatId: trusted({ $gt: after.id }) }, { chatId: after.id, seq: trusted({ $gt: after.number }) }] }
      : {};
    const found = await messages
      .find({ ownerId, ...behind })
      .sort({ chatId: 1, seq: 1 })
      .limit(page.limit + 1)
      .readConcern('majority')
      .lean();
    const sizes = found.map(({ content }) => content.length);
    const rows = found.slice(0, fitting(sizes, page));
    const last = rows.at(-1);
    const isOver = rows.length === found.length || !last;
    const scan: Scan | null = isOver ? null : { in: 'messages', after: { number: last.seq, id: last.chatId } };
    const shown = await readEntities(collections, ownerId, { messages: rows, chatIds: [] });
    const unlisted = rows.filter((row) => row.unlisted);
    const position = await listed(ownerId, { ...from, scan }, { chats: [], messages: unlisted, tombstones: [] });
    const used = { limit: rows.length, maxBytes: sumOf(sizes.slice(0, rows.length)) };
    return { chats: [], messages: [...shown.messages.values()], deleted: [], position, more: true, used };
  };

  return (ownerId: string, from: SyncPosition, page: ChangePart['used']): Promise<ChangePart> =>
    (from.scan?.in === 'chats' ? scanChats : scanMessages)(ownerId, from, page);
};
