import type { Clock } from '../../lib/clock.ts';
import { insertMissing, type Collections } from './collections.ts';

/** Messages that one tombstone stands for: as many as are told at once. */
const IDS = 100;

/**
 * Tells devices what was deleted. When nothing can show it to them any more: its row is gone, or its chat's row says that it
 * is. Else a device could hear of the deletion first and then be given what was deleted.
 */
export interface Tombstones {
  buryChat(ownerId: string, chatId: string): Promise<void>;
  /** @param name of the deletion: a second call with it does nothing */
  buryMessages(ownerId: string, ids: readonly string[], name: string): Promise<void>;
}

export const createTombstones = ({ tombstones }: Collections, clock: Clock): Tombstones => ({
  buryChat: async (ownerId, chatId) => {
    const row = { _id: `${ownerId}:${chatId}`, ownerId, kind: 'chat', ids: [chatId], unlisted: true } as const;
    await insertMissing(tombstones, [{ ...row, deletedAt: new Date(clock.now()) }]);
  },
  buryMessages: async (ownerId, ids, name) => {
    const deletedAt = new Date(clock.now());
    const rows = Array.from({ length: Math.ceil(ids.length / IDS) }, (_, part) => ({
      _id: `${name}:${String(part)}`,
      ownerId,
      kind: 'message' as const,
      ids: ids.slice(part * IDS, (part + 1) * IDS),
      deletedAt,
      unlisted: true,
    }));
    await insertMissing(tombstones, rows);
  },
});
