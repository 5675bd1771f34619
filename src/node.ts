import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createApp } from './app.ts';
import type { Config } from './config/index.ts';
import { createContainer, type Container } from './container.ts';
import type { Clock } from './lib/clock.ts';
import type { Logger } from './lib/logger.ts';
import { startSockets } from './sockets/index.ts';
import { readSessionCookies } from './middleware/cookies.ts';
import { readCredentials } from './middleware/credentials.ts';

/** A node that answers. */
export interface RunningNode {
  /** Where it answers, such as `http://127.0.0.1:3000`. */
  readonly url: string;
  readonly container: Container;
  /** Shuts down in order; never rejects. */
  close(): Promise<void>;
}

/** Milliseconds for a request's headers and for the whole request; Node's own 60 s and 300 s invite slow attackers. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** Longer than the idle timeout of the usual proxies (60 s), so that they never reuse a connection that we just closed. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
const MAX_HEADERS = 100;
/** A client that does not take its answer is cut after this, and what an answer may take to begin. */
const STALLED_MS = 120_000;

const createHttpServer = (container: Container): Server => {
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: 2_000,
      // What else a client offers, such as h2c, is no reason to refuse what it asks (RFC 9110 §7.8).
      shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
    },
    createApp(container),
  );
  server.maxHeadersCount = MAX_HEADERS;
  server.setTimeout(STALLED_MS + container.config.chat.responseWaitMs);
  return server;
};

const listen = (server: Server, port: number, host: string): Promise<AddressInfo> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      const address = server.address();
      if (address !== null && typeof address === 'object') resolve(address);
      else reject(new Error('the server has no port'));
    });
  });

const closeHttp = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });

const urlOf = ({ address, family, port }: AddressInfo): string => {
  const host = address === '0.0.0.0' || address === '::' ? 'localhost' : family === 'IPv6' ? `[${address}]` : address;
  return `http://${host}:${String(port)}`;
};

/**
 * Starts a node: every door on one port.
 * @throws StoreUnavailableError when the embedded database cannot be used; Error `EADDRINUSE` and the like
 */
export const startNode = async (config: Config, logger: Logger, clock?: Clock): Promise<RunningNode> => {
  const container = await createContainer(config, logger, clock);
  const { lifecycle, origins } = container;
  try {
    const server = createHttpServer(container);
    startSockets({
      ...container,
      http: server,
      isOwnRequest: (request) => origins.isOwnRequest(request),
      readCookieToken: (request) => readSessionCookies(request, origins.isSecure(request)).accessToken,
      readCredentials: (request, ticket) => readCredentials(request, { isSecure: origins.isSecure(request), ticket }),
    });
    const address = await listen(server, config.server.port, config.server.host);
    lifecycle.onClose('http', 'http server', () => closeHttp(server));
    return { url: urlOf(address), container, close: () => lifecycle.close() };
  } catch (error) {
    await lifecycle.close();
    throw error;
  }
};
