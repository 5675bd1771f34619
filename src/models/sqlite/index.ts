import { systemClock, type Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type { Stores } from '../stores.ts';
import { createCaller } from './caller.ts';
import { claimFiles } from './dataFiles.ts';
import { migrate, openDatabase } from './database.ts';
import { toStoreError } from './errors.ts';
import { dropReservations } from './quota.ts';
import { releaseLeases } from './reply.store.ts';
import { createWriter } from './writer.ts';

export interface SqliteOptions {
  /** The database file; a side file next to it (`.lock`) keeps other processes out. */
  readonly file: string;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly metrics?: Metrics;
}

/** Makes or updates the file's schema and lets go of what a dead process held. */
const prepare = (file: string, logger: Logger): void => {
  const db = openDatabase(file, { readOnly: false });
  try {
    const migrations = migrate(db);
    const releasedLeases = releaseLeases(db);
    dropReservations(db);
    logger.info('database opened', { file, migrations, releasedLeases });
  } finally {
    db.close();
  }
};

const open = async ({ file, logger, clock = systemClock, metrics }: SqliteOptions): Promise<Stores> => {
  prepare(file, logger);
  const reader = openDatabase(file, { readOnly: true });
  const stores = createCaller({ reader, writer: createWriter(file, logger), clock, logger, metrics });
  try {
    // The first call starts the writing thread, so that the first request need not wait for it.
    await stores.ping();
    return stores;
  } catch (error) {
    await stores.close();
    throw error;
  }
};

/**
 * The embedded database. Reads run on the caller's thread, writes in a thread of their own that commits them in groups.
 * @throws StoreUnavailableError naming the file, when another process has it, when it is another program's, newer than
 *   this code, damaged, or cannot be written. The file is then left as it was.
 */
export const openSqliteStores = async (options: SqliteOptions): Promise<Stores> => {
  const { file } = options;
  const release = claimFiles(file);
  try {
    const stores = await open({ ...options, logger: options.logger.child('sqlite') });
    let closing: Promise<void> | null = null;
    return { ...stores, close: () => (closing ??= stores.close().finally(release)) };
  } catch (error) {
    release();
    throw toStoreError(error, file);
  }
};
