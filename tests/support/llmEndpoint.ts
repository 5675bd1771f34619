import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger, type Logger } from '../../src/lib/logger.ts';
import { createMetrics, type Metrics } from '../../src/lib/metrics.ts';
import { createOpenRouterProvider, type OpenRouterProvider } from '../../src/services/llm/openrouter.provider.ts';
import type { RotatedModel } from '../../src/services/llm/modelPool.ts';
import { createRouter, type RouterOptions } from '../../src/services/llm/router.ts';
import type { LlmRouter } from '../../src/services/llm/router.types.ts';
import { createSimulator, type Simulator } from '../../src/services/llm/simulator/index.ts';

/** Long enough that only a fault meets them, short enough that a test can wait for one. */
export const TIMEOUTS = {
  connectMs: 5000,
  headersMs: 5000,
  firstTokenMs: 5000,
  idleMs: 5000,
  totalMs: 10_000,
} as const;

type Timeouts = { -readonly [K in keyof typeof TIMEOUTS]?: number };

/** What a test's router differs in. */
export interface RouterChoices extends Partial<
  Pick<RouterOptions, 'affinity' | 'continues' | 'settings' | 'random' | 'clock' | 'maxTokens'>
> {
  readonly timeouts?: Timeouts;
}

export interface LlmEndpoint {
  readonly simulator: Simulator;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Every log line so far. */
  logLines(): Record<string, unknown>[];
  provider(timeouts?: Timeouts): OpenRouterProvider;
  router(models: readonly (string | RotatedModel)[], options?: RouterChoices): LlmRouter;
  close(): Promise<void>;
}

const linesOf = (text: string): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** The simulator over real HTTP, and the product's own provider and router in front of it. */
export const startLlmEndpoint = async (): Promise<LlmEndpoint> => {
  const simulator = await createSimulator({ tokenDelayMs: 0 });
  const chunks: string[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk.toString());
      done();
    },
  });
  const logger = createLogger({ level: 'debug', service: 'test', format: 'json', stream });
  const metrics = createMetrics();
  const opened: OpenRouterProvider[] = [];
  const openProvider = (timeouts: Timeouts = {}): OpenRouterProvider => {
    const { baseUrl, apiKey } = simulator;
    const made = createOpenRouterProvider({
      baseUrl,
      apiKey,
      publicUrl: null,
      clock: systemClock,
      timeouts: { ...TIMEOUTS, ...timeouts },
    });
    opened.push(made);
    return made;
  };
  return {
    simulator,
    metrics,
    logger,
    logLines: () => linesOf(chunks.join('')),
    provider: openProvider,
    router: (models, { timeouts = {}, settings, ...chosen } = {}) =>
      createRouter({
        provider: openProvider(timeouts),
        models: models.map((model) => (typeof model === 'string' ? { slug: model, weight: 1 } : model)),
        affinity: 'message',
        temperature: 0.7,
        maxTokens: 1024,
        isSimulated: false,
        metrics,
        logger,
        clock: systemClock,
        settings: { firstTokenMs: timeouts.firstTokenMs ?? TIMEOUTS.firstTokenMs, ...settings },
        ...chosen,
      }),
    close: async () => {
      for (const provider of opened) provider.close();
      await simulator.close();
    },
  };
};

/** Runs a test against a bare endpoint that answers as the test says; it is closed however the test ends. */
export const withBareEndpoint = async (
  handle: (req: IncomingMessage, res: ServerResponse) => void,
  run: (open: (options?: BareOptions) => OpenRouterProvider) => Promise<void>,
): Promise<void> => {
  const server = http.createServer((req, res) => {
    req.resume();
    handle(req, res);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const opened: OpenRouterProvider[] = [];
  try {
    await run(({ apiKey = 'a-key', publicUrl = null, timeouts = {} } = {}) => {
      const baseUrl = `http://127.0.0.1:${String(port)}/v1`;
      const made = createOpenRouterProvider({
        baseUrl,
        apiKey,
        publicUrl,
        clock: systemClock,
        timeouts: { ...TIMEOUTS, ...timeouts },
      });
      opened.push(made);
      return made;
    });
  } finally {
    for (const provider of opened) provider.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
};

export interface BareOptions {
  readonly apiKey?: string | null;
  readonly publicUrl?: string | null;
  readonly timeouts?: Timeouts;
}

/** A port that takes connections and never says a word, so that no TLS handshake ends. */
export const startBlackHole = async (): Promise<{ readonly httpsUrl: string; close(): Promise<void> }> => {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    httpsUrl: `https://127.0.0.1:${String(port)}/v1`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

export interface Collected<T> {
  readonly parts: T[];
  readonly text: string;
  /** What ended it; null when it ended normally. */
  readonly error: unknown;
}

/** Reads to the end; `onPart` sees each part as it comes. */
export const collect = async <T extends { type: string }>(
  source: AsyncIterable<T>,
  onPart: (part: T) => void = () => undefined,
): Promise<Collected<T>> => {
  const parts: T[] = [];
  let error: unknown = null;
  try {
    for await (const part of source) {
      parts.push(part);
      onPart(part);
    }
  } catch (thrown) {
    error = thrown;
  }
  const text = parts.map((part) => (part.type === 'delta' && 'text' in part ? String(part.text) : '')).join('');
  return { parts, text, error };
};
