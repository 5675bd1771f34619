import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Metrics } from '../../lib/metrics.ts';
import { StoreUnavailableError } from '../errors.ts';
import type {
  ApiKeyStore,
  AuditStore,
  ChatStore,
  IdentityStore,
  LoginStore,
  MailTokenStore,
  MessageStore,
  SecondFactorStore,
  Stores,
  SyncStore,
  UsageStore,
  UserStore,
} from '../stores.ts';
import type { Database } from './database.ts';
import { toStoreError } from './errors.ts';
import { createSyncStores, isRead, perform, type Operation, type StoreName } from './operations.ts';
import type { Sync } from './sync.ts';
import type { Writer } from './writer.ts';

/** Milliseconds after which a call is worth a line; a write's time includes its wait for the group before it. */
const SLOW_MS = 200;

type Call = Omit<Operation, 'id'>;

export interface CallerOptions {
  /** A connection that cannot write. */
  readonly reader: Database;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics | undefined;
}

/** Makes the asynchronous stores: reads run here and now on the reader, writes in the writing thread. */
export const createCaller = (options: CallerOptions): Stores => {
  const { reader, writer, clock, logger, metrics } = options;
  const stores = createSyncStores(reader);
  let isClosed = false;

  /** In a transaction, so that a method of several statements sees one state of the database. */
  const read = (call: Call): unknown => {
    if (isClosed) throw new StoreUnavailableError(`${reader.file} is closed`);
    metrics?.storeRead(`${call.store}.${call.method}`);
    try {
      reader.run('BEGIN');
      return perform(stores, call);
    } catch (error) {
      throw toStoreError(error, reader.file);
    } finally {
      if (reader.isTransaction()) reader.run('COMMIT');
    }
  };

  const run = async (call: Call): Promise<unknown> => {
    const startedAt = clock.now();
    try {
      return isRead(call.method) ? read(call) : await writer.run(call);
    } finally {
      const durationMs = clock.now() - startedAt;
      if (durationMs >= SLOW_MS) logger.warn('slow query', { operation: `${call.store}.${call.method}`, durationMs });
    }
  };

  const promised = <Store>(store: StoreName, methods: Sync<Store>): Store => {
    const calls = Object.keys(methods).map((method) => [
      method,
      (...args: readonly unknown[]) => run({ store, method, args }),
    ]);
    return Object.fromEntries(calls) as Store;
  };

  return {
    kind: 'sqlite',
    users: promised<UserStore>('users', stores.users),
    logins: promised<LoginStore>('logins', stores.logins),
    apiKeys: promised<ApiKeyStore>('apiKeys', stores.apiKeys),
    mailTokens: promised<MailTokenStore>('mailTokens', stores.mailTokens),
    secondFactors: promised<SecondFactorStore>('secondFactors', stores.secondFactors),
    identities: promised<IdentityStore>('identities', stores.identities),
    endings: null,
    failures: null,
    audit: promised<AuditStore>('audit', stores.audit),
    chats: promised<ChatStore>('chats', stores.chats),
    messages: promised<MessageStore>('messages', stores.messages),
    sync: promised<SyncStore>('sync', stores.sync),
    usage: promised<UsageStore>('usage', stores.usage),
    ping: async () => {
      await run({ store: 'database', method: 'ping', args: [] });
    },
    // One call is one transaction here: a crash leaves nothing half done.
    repair: () => Promise.resolve(0),
    close: async () => {
      isClosed = true;
      // First the reader, so that the writer is the last one out and moves the log into the database file.
      reader.close();
      await writer.close();
    },
  };
};
