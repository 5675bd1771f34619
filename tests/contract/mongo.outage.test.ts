import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { newId } from '../../src/lib/ids.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { createMetrics } from '../../src/lib/metrics.ts';
import { StoreUnavailableError } from '../../src/models/errors.ts';
import { openMongoStores } from '../../src/models/mongo/index.ts';
import type { Stores } from '../../src/models/stores.ts';
import { HOW_TO_GET_MONGODB, startMongodb } from '../support/mongodb.ts';
import { waitFor } from '../support/waitFor.ts';
import { canProxy, startWireProxy, type WireProxy } from '../support/wireProxy.ts';
import { firstTurn, newUser } from './stores/rows.ts';

const logger = createLogger({ level: 'error', service: 'contract', format: 'text', stream: process.stderr });
const mongodb = await startMongodb();
const isPossible = mongodb !== null && canProxy(mongodb.newDatabase());
const reason = mongodb === null ? HOW_TO_GET_MONGODB : 'needs a server of one host without credentials';

(isPossible ? describe : describe.skip)(`mongodb, coming and going${isPossible ? '' : ` (${reason})`}`, () => {
  let proxy: WireProxy;
  beforeEach(async () => {
    proxy = await startWireProxy(mongodb?.newDatabase() ?? '');
  });
  afterEach(() => proxy.close());
  afterAll(() => mongodb?.stop());

  /** Resolves when the database answers; under load not at the first attempt. */
  const untilReady = (stores: Stores) =>
    waitFor(async () => {
      await stores.ping();
      return true;
    });

  test('stores opened while the database is down, refuse every call and work when it is up', async () => {
    proxy.cut();
    const stores = await openMongoStores({ uri: proxy.uri, logger });
    await expect(stores.ping()).rejects.toBeInstanceOf(StoreUnavailableError);
    await expect(stores.repair()).rejects.toBeInstanceOf(StoreUnavailableError);
    await expect(stores.users.createUser(newUser())).rejects.toBeInstanceOf(StoreUnavailableError);
    await expect(stores.chats.findChat(newId(), newId())).rejects.toBeInstanceOf(StoreUnavailableError);

    proxy.mend();
    await untilReady(stores);
    const user = newUser();
    await stores.users.createUser(user);
    // The indexes are there from the first call on.
    await expect(stores.users.createUser(newUser({ email: user.email }))).rejects.toMatchObject({ field: 'email' });
    await stores.close();
  });

  test('open stores whose database goes, refuse every call, and work again when it is back', async () => {
    const stores = await openMongoStores({ uri: proxy.uri, logger });
    await untilReady(stores);
    const turn = firstTurn(newId());
    proxy.cut();
    await expect(stores.messages.appendTurn(turn)).rejects.toBeInstanceOf(StoreUnavailableError);
    await expect(stores.messages.findTurn(turn.ownerId, turn.clientMessageId)).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
    await expect(stores.ping()).rejects.toBeInstanceOf(StoreUnavailableError);

    proxy.mend();
    await untilReady(stores);
    expect(await stores.messages.appendTurn(turn)).toMatchObject({ created: true });
    await stores.close();
  });

  test('stores that are closed, while the database is down or up, refuse every call', async () => {
    const up = await openMongoStores({ uri: proxy.uri, logger });
    await up.close();
    await expect(up.ping()).rejects.toBeInstanceOf(StoreUnavailableError);
    proxy.cut();
    const down = await openMongoStores({ uri: proxy.uri, logger });
    await down.close();
    await expect(down.users.hasAdmin()).rejects.toBeInstanceOf(StoreUnavailableError);
  });

  test('a URI that is none, is refused at once', async () => {
    await expect(openMongoStores({ uri: 'postgres://nowhere/', logger })).rejects.toMatchObject({
      name: 'MongoParseError',
    });
  });

  test('reads, counted by operation, and writes, not counted', async () => {
    const metrics = createMetrics();
    const stores = await openMongoStores({ uri: proxy.uri, logger, metrics });
    await untilReady(stores);
    await stores.users.createUser(newUser());
    await stores.users.findUser(newId());
    expect(await metrics.value('store_reads_total', { operation: 'users.findUser' })).toBe(1);
    expect(await metrics.value('store_reads_total')).toBe(1);
    await stores.close();
  });
});
