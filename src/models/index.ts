import type { Config } from '../config/index.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { Stores } from './stores.ts';

export interface StoreTools {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/**
 * The database that the configuration names: MongoDB where `MONGODB_URI` is set, else the embedded file. Nobody behind
 * this line asks which one it is. Only the chosen one is loaded: mongoose takes a third of a second.
 * @throws StoreUnavailableError when the embedded file cannot be used; MongoDB may come up later
 */
export const openStores = async (config: Config['database'], tools: StoreTools): Promise<Stores> => {
  if (config.mongodbUri !== null) {
    const { openMongoStores } = await import('./mongo/index.ts');
    return openMongoStores({ uri: config.mongodbUri, ...tools });
  }
  const { openSqliteStores } = await import('./sqlite/index.ts');
  return openSqliteStores({ file: config.sqliteFile, ...tools });
};
