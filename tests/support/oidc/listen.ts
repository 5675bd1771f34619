import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Answerer = (req: IncomingMessage, res: ServerResponse) => void;

/** A server on loopback that can go away and come back under the same address. */
export interface Listener {
  readonly url: string;
  /** What answers; the server listens before anybody can be made that knows its address. */
  serve(answer: Answerer): void;
  stop(): Promise<void>;
  start(): Promise<void>;
}

export const listenOnLoopback = async (): Promise<Listener> => {
  let answer: Answerer = (_req, res) => void res.writeHead(503).end();
  const server = createServer((req, res) => answer(req, res));
  const listen = (port: number): Promise<void> =>
    new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', () => resolve()));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}`,
    serve: (answerer) => {
      answer = answerer;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
    start: () => listen(port),
  };
};
