import { parseEnv } from 'node:util';
import { readFileSync } from 'node:fs';
import { ConfigError, loadConfig, type Config } from './config/index.ts';
import { createLogger, type Logger } from './lib/logger.ts';
import { startNode, type RunningNode } from './node.ts';
import { greet } from './greeting.ts';

/** Milliseconds after which a shutdown that hangs is cut; under the 30 s after which Kubernetes kills. */
const SHUTDOWN_MS = 25_000;

const readDotEnv = (): Record<string, string | undefined> => {
  try {
    return parseEnv(readFileSync('.env', 'utf8'));
  } catch (error) {
    // A file that is there and cannot be read must not be taken for none: the defaults are another server.
    if (Error.isError(error) && 'code' in error && error.code === 'ENOENT') return {};
    process.stderr.write(`.env cannot be read: ${String(error)}\n`);
    process.exit(1);
  }
};

const readConfig = (): Config => {
  try {
    // eslint-disable-next-line no-restricted-properties -- the one place where the process hands over its environment
    return loadConfig({ ...readDotEnv(), ...process.env });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
};

const exit = async (logger: Logger, code: number): Promise<never> => {
  await logger.flush();
  process.exit(code);
};

const main = async (): Promise<void> => {
  const config = readConfig();
  const logger = createLogger({ ...config.log, service: 'parley' });
  let node: RunningNode | null = null;

  const shutDown = async (reason: string, code: number): Promise<void> => {
    logger.info('shutting down', { reason });
    setTimeout(() => process.exit(1), SHUTDOWN_MS).unref();
    await node?.close();
    logger.info('shut down');
    await exit(logger, code);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      process.once(signal, () => process.exit(1));
      void shutDown(signal, 0);
    });
  }
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error) => {
      logger.error(event, { err: error });
      void shutDown(event, 1);
    });
  }

  try {
    node = await startNode(config, logger);
    greet(config, node.url, logger);
  } catch (error) {
    logger.error('could not start', { err: error });
    await exit(logger, 1);
  }
};

await main();
