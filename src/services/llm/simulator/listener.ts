import http, { type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server whose port can be closed for a while. */
export interface Listener {
  readonly url: string;
  /** Who connects meanwhile is refused; calls that run go on. */
  closePort(ms: number): void;
  close(): Promise<void>;
}

interface Address {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

const listen = (server: http.Server, { host, port }: Address): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });

/** @throws what listening throws, for example EADDRINUSE */
export const openListener = async (handle: RequestListener, { host, port: wanted }: Address): Promise<Listener> => {
  const server = http.createServer(handle);
  await listen(server, { host, port: wanted });
  const address: AddressInfo | string | null = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : wanted;
  let reopening: NodeJS.Timeout | null = null;

  const reopen = (): void => {
    reopening = null;
    // Somebody took the port meanwhile: then it stays theirs, and every call says so by failing.
    listen(server, { host, port }).catch(() => undefined);
  };
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${String(port)}`,
    closePort: (ms) => {
      if (reopening !== null) clearTimeout(reopening);
      else server.close();
      reopening = setTimeout(reopen, ms);
    },
    close: () =>
      new Promise((resolve) => {
        if (reopening !== null) clearTimeout(reopening);
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
