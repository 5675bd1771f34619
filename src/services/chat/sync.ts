import type { Clock } from '../../lib/clock.ts';
import { AppError } from '../../lib/errors.ts';
import type { Stores } from '../../models/stores.ts';
import type { SyncPage, SyncQuery } from '../../schemas/sync.schemas.ts';
import type { Actor } from '../auth/actor.ts';
import { decodeSyncCursor, encodeSyncCursor } from './syncCursor.ts';

const DAY_MS = 86_400_000;
/** Milliseconds for which a device may be away and still be told of deletions. */
export const SYNC_WINDOW_MS = 30 * DAY_MS;
/** Bytes of text after which a page ends: far below what may wait for a socket. */
const PAGE_BYTES = 256 * 1024;

export interface SyncOptions {
  readonly stores: Pick<Stores, 'sync'>;
  readonly clock: Clock;
}

/**
 * A page of what changed in the actor's account since a cursor; without one, of everything there is. Who asks again with
 * each answer's cursor until `more` is false has the account as it is (`SyncStore.listChanges`).
 * @throws AppError `CURSOR_INVALID`; `CURSOR_EXPIRED` when deletions may have been forgotten that the device does not know
 */
export type SyncUseCase = (actor: Actor, query: SyncQuery) => Promise<SyncPage>;

export const createSync = ({ stores, clock }: SyncOptions): SyncUseCase => {
  return async ({ ownerId }, { cursor: text, limit }) => {
    // Before the read: what changes while it reads is not complete.
    const now = clock.now();
    const cursor = text ? decodeSyncCursor(ownerId, text) : null;
    if (cursor && now - cursor.completeAt > SYNC_WINDOW_MS) throw new AppError('CURSOR_EXPIRED');
    const after = cursor?.position ?? null;
    const changes = await stores.sync.listChanges(ownerId, { after, limit, maxBytes: PAGE_BYTES });
    // Of another database, or of one that was restored from an older copy.
    if (!changes) throw new AppError('CURSOR_EXPIRED');
    const { position, more, chats, messages, deleted } = changes;
    const completeAt = more ? (cursor?.completeAt ?? now) : now;
    return { chats, messages, deleted, more, cursor: encodeSyncCursor(ownerId, { position, completeAt }) };
  };
};
