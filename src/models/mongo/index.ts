import { systemClock, type Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type { Stores } from '../stores.ts';
import { createApiKeyStore } from './apiKey.store.ts';
import { createAuditStore } from './audit.store.ts';
import { createChatStore } from './chat.store.ts';
import { buildIndexes, createCollections } from './collections.ts';
import { connectOptions, createConnection } from './connection.ts';
import { createEndingStore } from './ending.store.ts';
import { createFailureStore } from './failure.store.ts';
import { createGuard } from './guard.ts';
import { createIdentityStore } from './identity.store.ts';
import { createIntents } from './intents.ts';
import { createLoginStore } from './login.store.ts';
import { createMailTokenStore } from './mailToken.store.ts';
import { createMessageStore } from './message.store.ts';
import { startOpening } from './opening.ts';
import { createQuotas } from './quotas.ts';
import { createRemovals } from './removals.ts';
import { createRepair } from './repair.ts';
import { createSecondFactorStore } from './secondFactor.store.ts';
import { createSyncStore } from './sync.store.ts';
import { createTurnCommit } from './turnCommit.ts';
import { createUsageStore } from './usage.store.ts';
import { createUserStore } from './user.store.ts';

export interface MongoOptions {
  /** With the name of the database. Timeouts and pool size in it override ours (connection.ts). */
  readonly uri: string;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly metrics?: Metrics;
}

/**
 * The stores on MongoDB, or on what speaks its protocol: no transactions, joins, TTL or partial indexes are used. When the
 * database is down, resolves all the same within seconds: every call then throws StoreUnavailableError at once, and works as soon
 * as the database is there, its indexes are built and what a crash left is repaired.
 */
export const openMongoStores = async ({ uri, logger, clock = systemClock, metrics }: MongoOptions): Promise<Stores> => {
  const log = logger.child('mongodb');
  const connection = createConnection();
  const collections = createCollections(connection);
  const intents = createIntents(collections);
  const removals = createRemovals(collections, clock);
  const commit = createTurnCommit(collections, clock);
  const quotas = createQuotas(collections);
  const users = createUserStore(collections, removals, clock);
  const repair = createRepair({ collections, commit, removals, intents, clock });

  const opening = await startOpening(async () => {
    await connection.openUri(uri, connectOptions(uri));
    await buildIndexes(collections);
    await repair();
  }, log);
  const guard = createGuard({ isReady: () => opening.isReady(), clock, logger: log, metrics });

  return {
    kind: 'mongodb',
    users: guard.store('users', users),
    logins: guard.store('logins', createLoginStore(collections, intents)),
    apiKeys: guard.store('apiKeys', createApiKeyStore(collections, intents)),
    mailTokens: guard.store('mailTokens', createMailTokenStore(collections)),
    secondFactors: guard.store('secondFactors', createSecondFactorStore(collections)),
    identities: guard.store('identities', createIdentityStore(collections, users)),
    endings: guard.store('endings', createEndingStore(collections)),
    failures: guard.store('failures', createFailureStore(collections)),
    audit: guard.store('audit', createAuditStore(collections)),
    chats: guard.store('chats', createChatStore(collections, { removals, intents, clock })),
    messages: guard.store('messages', createMessageStore(collections, commit, quotas)),
    sync: guard.store('sync', createSyncStore(collections, clock)),
    usage: guard.store('usage', createUsageStore(collections, quotas)),
    ping: () =>
      guard.run('ping', async () => {
        await connection.db?.command({ ping: 1 });
      }),
    repair: () => guard.run('repair', repair),
    close: async () => {
      await opening.stop();
      await connection.close();
    },
  };
};
