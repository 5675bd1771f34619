import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { io, type Socket } from 'socket.io-client';
import { loadConfig } from '../../src/config/index.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { startNode, type RunningNode } from '../../src/node.ts';
import { createSimulator, type Simulator } from '../../src/services/llm/simulator/index.ts';
import { watchEnv, watchMessages } from './canaries/taps.ts';
import { secretWatch } from './canaries/watch.ts';
import { call, PASSWORD, type Answer } from './http.ts';
import { readEvents, type SseEvent } from './sse.ts';

export { call, PASSWORD, type Answer } from './http.ts';

type Env = Readonly<Record<string, string>>;

export interface WorldOptions {
  /** Environment variables over the tests' own: no limits, cheap password hashes. */
  readonly env?: Env;
  /** The rotation; `sim/<mode>` chooses how a model behaves. */
  readonly models?: readonly string[];
  /** Milliseconds between two words of a model. */
  readonly tokenDelayMs?: number;
  /** Another world's, to stand for the same machine after a restart. */
  readonly dataDir?: string;
  readonly upstream?: Simulator;
  /** The node's; the system's unless told. */
  readonly clock?: Clock;
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly component?: string;
  readonly [field: string]: unknown;
}

/** A whole node of its own with a real HTTP upstream: nothing is shared with any other test. */
export interface World {
  readonly url: string;
  readonly node: RunningNode;
  readonly upstream: Simulator;
  readonly dataDir: string;
  /** Every line that the node has logged. */
  logs(): readonly LogLine[];
  /** The same as text, as an operator's log file would hold it. */
  logText(): string;
  /** How often the database was read so far, but for the reaper's look every two seconds, whatever is going on. */
  storeReads(): Promise<number>;
  /** A new user with a random name, made through the public door. */
  signUp(): Promise<TestUser>;
  /** Ends the node and what it used. */
  stop(): Promise<void>;
}

export interface CallOptions {
  readonly headers?: Env;
}

export interface TestUser {
  readonly url: string;
  readonly id: string;
  readonly username: string;
  readonly email: string;
  readonly password: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  call(method: string, path: string, body?: unknown, options?: CallOptions): Promise<Answer>;
  /** Sends a message over SSE, or follows a reply with GET; reads to the end. */
  stream(path: string, body?: unknown, options?: CallOptions): Promise<SseEvent[]>;
  /** A connected socket; closed when the world stops. */
  connect(): Promise<Socket>;
}

const memoryStream = (): { stream: Writable; text: () => string } => {
  const chunks: string[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk.toString());
      done();
    },
  });
  return { stream, text: () => chunks.join('') };
};

const connectSocket = (url: string, token: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = io(url, { transports: ['websocket'], auth: { token }, forceNew: true, reconnection: false });
    socket.once('connect', () => resolve(socket));
    socket.once('connect_error', reject);
  });

const createUser = async (url: string, sockets: Set<Socket>): Promise<TestUser> => {
  const username = `user_${randomBytes(8).toString('hex')}`;
  const email = `${username}@example.com`;
  const json = { username, email, password: PASSWORD, session: 'token' };
  const { status, body } = await call(`${url}/api/auth/signup`, { method: 'POST', json });
  if (status !== 201) throw new Error(`signup answered ${String(status)}: ${JSON.stringify(body)}`);
  const authorization = { Authorization: `Bearer ${String(body.accessToken)}` };
  return {
    url,
    id: body.user.id,
    username,
    email,
    password: PASSWORD,
    accessToken: body.accessToken,
    refreshToken: body.refreshToken,
    call: (method, path, sent, options = {}) =>
      call(`${url}${path}`, { method, json: sent, headers: { ...authorization, ...options.headers } }),
    stream: async (path, sent, options = {}) => {
      const headers = {
        ...authorization,
        Accept: 'text/event-stream',
        'Content-Type': 'application/json',
        ...options.headers,
      };
      const response = await fetch(`${url}${path}`, {
        headers,
        ...(sent === undefined ? {} : { method: 'POST', body: JSON.stringify(sent) }),
      });
      const events: SseEvent[] = [];
      for await (const event of readEvents(response)) events.push(event);
      return events;
    },
    connect: async () => {
      const socket = await connectSocket(url, body.accessToken);
      sockets.add(socket);
      return socket;
    },
  };
};

/** Starts a node on a free port with an embedded database in a directory of its own, unless told otherwise. */
export const startWorld = async (options: WorldOptions = {}): Promise<World> => {
  const models = options.models ?? ['sim/ok'];
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'parley-world-'));
  const upstream = options.upstream ?? (await createSimulator({ tokenDelayMs: options.tokenDelayMs ?? 0, models }));
  const log = memoryStream();
  const env = {
    NODE_ENV: 'test',
    PORT: '0',
    DATA_DIR: dataDir,
    BCRYPT_COST: '4',
    LOG_LEVEL: 'debug',
    ADMIN_PASSWORD: PASSWORD,
    RATE_LIMIT_AUTH_PER_MINUTE: '0',
    LOGIN_THROTTLE: 'false',
    RATE_LIMIT_API_PER_MINUTE: '0',
    RATE_LIMIT_CHAT_PER_SECOND: '0',
    QUOTA_CONCURRENT_REPLIES: '0',
    OPENROUTER_BASE_URL: upstream.baseUrl,
    OPENROUTER_API_KEY: upstream.apiKey,
    OPENROUTER_MODELS: models.join(','),
    ...options.env,
  };
  watchEnv(env);
  const config = loadConfig(env);
  const logger = createLogger({ level: config.log.level, format: 'json', service: 'parley', stream: log.stream });
  const node = await startNode(config, logger, options.clock).catch(async (error: unknown) => {
    if (!options.upstream) await upstream.close();
    throw error;
  });
  const sockets = new Set<Socket>();
  const lookLast = secretWatch.addLast(async () => {
    secretWatch.see('the metrics', await node.container.metrics.text());
    secretWatch.addSecret('the made JWT_SECRET', node.container.config.auth.jwtSecret ?? '');
    watchMessages(upstream.log.flatMap(({ messages }) => messages.map(({ content }) => content)));
  });
  return {
    url: node.url,
    node,
    upstream,
    dataDir,
    logText: log.text,
    logs: () =>
      log
        .text()
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as LogLine),
    storeReads: async () => {
      const { metrics } = node.container;
      const byReaper = await metrics.value('store_reads_total', { operation: 'messages.listLapsedReplies' });
      return (await metrics.value('store_reads_total')) - byReaper;
    },
    signUp: () => createUser(node.url, sockets),
    stop: async () => {
      for (const socket of sockets) socket.close();
      await lookLast();
      await node.close();
      if (!options.upstream) await upstream.close();
      if (!options.dataDir) rmSync(dataDir, { recursive: true, force: true });
    },
  };
};
