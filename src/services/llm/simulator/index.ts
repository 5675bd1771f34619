import { randomBytes } from 'node:crypto';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAttemptLog, type SimulatedAttempt } from './attemptLog.ts';
import { createExchange, type SimulatedRequest } from './exchange.ts';
import { findMode, modeTextOf } from './modes.ts';
import { readChatRequest } from './request.ts';

export type { SimulatedAttempt } from './attemptLog.ts';

/** What `/models` offers and the product rotates over without a key. */
export const SIMULATOR_MODELS = ['simulator/parley-1', 'simulator/parley-2'] as const;
/** Test models have a price, so that costs can be checked; talking to the product's own is free. */
const USD_PER_TEST_TOKEN = 0.000002;

export interface SimulatorOptions {
  /** Milliseconds between two words. */
  readonly tokenDelayMs: number;
  /** 0, the default, takes a free one. */
  readonly port?: number;
  readonly models?: readonly string[];
  /** How many calls `log` keeps, with all that was said in them. */
  readonly maxLogged?: number;
}

export interface Simulator {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly models: readonly string[];
  /** The newest calls, oldest first. */
  readonly log: readonly SimulatedAttempt[];
  /** The call after those in the log, as soon as it arrives. */
  nextAttempt(): Promise<SimulatedAttempt>;
  /** The next calls of a model play these modes (`500`, `words:3`, …), one each; after them its own again. */
  script(model: string, modes: readonly string[]): void;
  close(): Promise<void>;
}

const refuse = (res: ServerResponse, status: number, message: string): void => {
  res.writeHead(status, { 'Content-Type': 'application/json' });
  res.end(JSON.stringify({ error: { code: status, message } }));
};

const listen = async (server: http.Server, port: number): Promise<number> => {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve());
  });
  const address: AddressInfo | string | null = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
};

const closeServer = (server: http.Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

/**
 * A real HTTP server on loopback that speaks OpenRouter's `chat/completions` stream and `models` list, in this process.
 * The product runs on it when it has no key, and the tests run against its faults: `sim/<mode>[:number]` as a model's
 * name chooses how it behaves.
 */
export const createSimulator = async (options: SimulatorOptions): Promise<Simulator> => {
  const apiKey = `sim-${randomBytes(16).toString('hex')}`;
  const models = options.models ?? SIMULATOR_MODELS;
  const attempts = createAttemptLog(options.maxLogged ?? 1000);
  const scripts = new Map<string, string[]>();
  let calls = 0;

  const play = async (request: SimulatedRequest, res: ServerResponse): Promise<void> => {
    const modeText = scripts.get(request.model)?.shift() ?? modeTextOf(request.model);
    const mode = findMode(modeText);
    attempts.add(request, modeText, res);
    if (!mode) {
      refuse(res, 404, `No endpoints found for ${request.model}`);
      return;
    }
    calls += 1;
    const exchange = createExchange(res, {
      request,
      id: `gen-${String(Date.now())}-${String(calls)}`,
      tokenDelayMs: mode.name === 'slow' ? mode.count : options.tokenDelayMs,
      usdPerToken: request.model.startsWith('sim/') ? USD_PER_TEST_TOKEN : 0,
      lineEnd: mode.name === 'crlf' ? '\r\n' : '\n',
      isByteByByte: mode.name === 'utf8-split',
    });
    await mode.play(exchange);
  };

  const handle = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const path = (req.url ?? '').replace(/^\/api/, '');
    if (req.method === 'GET' && path === '/v1/models') {
      res.writeHead(200, { 'Content-Type': 'application/json' });
      res.end(JSON.stringify({ data: models.map((id) => ({ id, name: id, context_length: 128_000 })) }));
      return;
    }
    if (req.method !== 'POST' || path !== '/v1/chat/completions') {
      refuse(res, 404, 'Not found');
    } else if (req.headers.authorization !== `Bearer ${apiKey}`) {
      refuse(res, 401, 'No auth credentials found');
    } else {
      const request = await readChatRequest(req);
      if (request) await play(request, res);
      else refuse(res, 400, 'The body must be a chat request with "stream": true');
    }
  };

  const server = http.createServer((req, res) => {
    // A client that leaves while it is read or answered is the client's business.
    handle(req, res).catch(() => res.destroy());
  });
  const port = await listen(server, options.port ?? 0);

  return {
    baseUrl: `http://127.0.0.1:${String(port)}/api/v1`,
    apiKey,
    models,
    log: attempts.all,
    nextAttempt: () => attempts.next(),
    script: (model, modes) => void scripts.set(model, [...modes]),
    close: () => closeServer(server),
  };
};
