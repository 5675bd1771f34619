import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newId } from '../../src/lib/ids.ts';
import { createLifecycle } from '../../src/lib/lifecycle.ts';
import { openSqliteStores } from '../../src/models/sqlite/index.ts';
import type { Stores } from '../../src/models/stores.ts';
import type { Actor } from '../../src/services/auth/actor.ts';
import { createSync, SYNC_WINDOW_MS } from '../../src/services/chat/sync.ts';
import { startSweeper } from '../../src/services/maintenance/sweeper.ts';
import { newChat, storeSettledTurn, firstTurn } from '../contract/stores/rows.ts';
import { newFile, quietLogger } from '../support/sqliteFixture.ts';
import { waitFor } from '../support/waitFor.ts';

const DAY_MS = 86_400_000;
const STEP_MS = 20 * DAY_MS;

let stores: Stores;
let now = Date.now();
const clock = { now: () => now };
beforeAll(async () => {
  stores = await openSqliteStores({ file: newFile(), logger: quietLogger });
});
afterAll(() => stores.close());

const actorOf = (ownerId: string): Actor => ({
  userId: ownerId,
  ownerId,
  role: 'user',
  scopes: ['chat'],
  loginId: null,
  keyId: null,
  via: 'bearer',
  expiresAt: null,
});

/** An account of three chats, one deleted after the device was complete. */
const accountWithDeletion = async () => {
  const actor = actorOf(newId());
  const sync = createSync({ stores, clock });
  const turns = [firstTurn(actor.ownerId), firstTurn(actor.ownerId), firstTurn(actor.ownerId)];
  for (const turn of turns) await storeSettledTurn(stores, turn);
  const { cursor } = await sync(actor, { limit: 500 });
  await stores.chats.createChat(newChat(actor.ownerId));
  await stores.chats.createChat(newChat(actor.ownerId));
  await stores.chats.deleteChat(actor.ownerId, turns[0]!.chatId);
  return { actor, sync, cursor, deletedId: turns[0]!.chatId };
};

test('a device that stops in the middle of catching up, and goes on weeks later, is as old as when it began', async () => {
  const { actor, sync, cursor } = await accountWithDeletion();
  now += STEP_MS;
  const middle = await sync(actor, { cursor, limit: 1 });
  expect(middle).toMatchObject({ more: true, deleted: [] });
  now += STEP_MS;
  await expect(sync(actor, { cursor: middle.cursor, limit: 500 })).rejects.toMatchObject({ code: 'CURSOR_EXPIRED' });
});

test('a device that is complete, comes back again and again, and is never too old', async () => {
  const { actor, sync, cursor: first, deletedId } = await accountWithDeletion();
  let cursor = first;
  now += STEP_MS;
  const page = await sync(actor, { cursor, limit: 500 });
  expect(page).toMatchObject({ more: false, deleted: [{ kind: 'chat', id: deletedId }] });
  for (let visit = 0; visit < 4; visit += 1) {
    ({ cursor } = visit === 0 ? page : await sync(actor, { cursor, limit: 500 }));
    now += STEP_MS;
  }
  await stores.chats.createChat(newChat(actor.ownerId));
  expect((await sync(actor, { cursor, limit: 500 })).chats).toHaveLength(1);
});

test('the sweeper, over 30 days after a deletion, forgets it, and not before', async () => {
  const { actor, deletedId } = await accountWithDeletion();
  const deletions = async () =>
    (await stores.sync.listChanges(actor.ownerId, { after: null, limit: 500, maxBytes: 1000 }))?.deleted;
  const sweepAt = async (time: number): Promise<void> => {
    const lifecycle = createLifecycle(quietLogger, {
      admission: 100,
      replies: 100,
      sockets: 100,
      http: 100,
      background: 100,
      stores: 100,
    });
    let isSwept = false;
    startSweeper({
      stores: {
        ...stores,
        sync: {
          ...stores.sync,
          deleteTombstones: async (before, limit) => {
            const count = await stores.sync.deleteTombstones(before, limit);
            isSwept = true;
            return count;
          },
        },
      },
      expireChat: () => Promise.resolve(),
      rewrapSecrets: () => Promise.resolve(0),
      retentionDays: 0,
      auditRetentionDays: 400,
      lifecycle,
      clock: { now: () => time },
      logger: quietLogger,
    });
    await waitFor(() => isSwept);
    await lifecycle.close();
  };
  await sweepAt(Date.now() + SYNC_WINDOW_MS + 60_000);
  expect(await deletions()).toEqual([{ kind: 'chat', id: deletedId }]);
  await sweepAt(Date.now() + SYNC_WINDOW_MS + DAY_MS + 60_000);
  expect(await deletions()).toEqual([]);
});
