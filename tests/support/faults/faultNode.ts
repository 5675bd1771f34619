import { once } from 'node:events';
import { createServer } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SOURCE_ENTRY, spawnServer, startServer, type ServerProcess } from '../serverProcess.ts';

type Env = Readonly<Record<string, string>>;

/** One node that dies and comes back at the same address, as often as a test wants. */
export interface FaultNode {
  readonly url: string;
  readonly dataDir: string;
  /** Milliseconds that each start took until it listened. */
  readonly startsMs: readonly number[];
  /** Starts a process. @param env on top of the node's own, such as `PARLEY_FAILPOINTS` */
  start(env?: Env): Promise<void>;
  /** Starts a process and kills it after so many milliseconds, most likely before it listens. */
  killWhileStarting(afterMs: number): Promise<void>;
  /** Kills the process, without a warning. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with the exit code and how long it took. */
  stop(): Promise<{ readonly code: number | NodeJS.Signals; readonly ms: number }>;
  /** Resolves when the process that runs now is gone, by its own failpoint or whatever else. */
  died(): Promise<void>;
  /** Whether a process listens, as far as is known. */
  readonly isUp: boolean;
  readonly pid: number;
  /** Resolves when a process listens: now, or after the next start. */
  whenUp(): Promise<void>;
  /** What the process that runs, or ran last, has printed. */
  output(): string;
  /** Kills what runs and removes the directory. */
  dispose(): Promise<void>;
}

/** Below the ports that systems give away by themselves: nobody takes it while the node is down. */
const FIRST_PORT = 21_000;
const PORTS = 10_000;

const isFree = async (port: number): Promise<boolean> => {
  const server = createServer().listen(port, '127.0.0.1');
  const listening = await once(server, 'listening').then(
    () => true,
    () => false,
  );
  if (!listening) return false;
  server.close();
  await once(server, 'close');
  return true;
};

const takePort = async (): Promise<number> => {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    if (await isFree(port)) return port;
  }
};

export interface FaultNodeOptions {
  readonly env: Env;
  /** Given: not made and not removed here. */
  readonly dataDir?: string;
}

export const createFaultNode = async ({ env, dataDir }: FaultNodeOptions): Promise<FaultNode> => {
  const directory = dataDir ?? mkdtempSync(join(tmpdir(), 'parley-faults-'));
  const port = await takePort();
  const startsMs: number[] = [];
  let server: ServerProcess | null = null;
  let isUp = false;
  let up = Promise.withResolvers<null>();

  const base: Env = {
    NODE_ENV: 'test',
    JWT_SECRET: 'b2Xm5vQ8kT1nR4wZ7pL0sD3fG6hJ9cVy',
    ACCESS_TOKEN_TTL: '12h',
    DATA_DIR: directory,
    // Half of what a start takes, from the second one on: these nodes start often.
    NODE_COMPILE_CACHE: join(tmpdir(), 'parley-compile-cache'),
    PORT: String(port),
    ...env,
  };

  const died = async (): Promise<void> => {
    const child = server?.child;
    if (child && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  };

  const end = async (signal: NodeJS.Signals): Promise<number | NodeJS.Signals> => (await server?.end(signal)) ?? 0;

  return {
    url: `http://127.0.0.1:${String(port)}`,
    dataDir: directory,
    startsMs,
    start: async (extra = {}) => {
      const startedAt = performance.now();
      const started = await startServer(SOURCE_ENTRY, { ...base, ...extra });
      startsMs.push(performance.now() - startedAt);
      server = started;
      started.child.once('exit', () => {
        isUp = false;
        up = Promise.withResolvers();
      });
      isUp = true;
      up.resolve(null);
    },
    killWhileStarting: async (afterMs) => {
      const child = spawnServer(SOURCE_ENTRY, base);
      child.stdout?.resume();
      child.stderr?.resume();
      const exited = once(child, 'exit');
      await delay(afterMs);
      child.kill('SIGKILL');
      await exited;
    },
    kill: async () => {
      await end('SIGKILL');
    },
    stop: async () => {
      const startedAt = performance.now();
      const code = await end('SIGTERM');
      return { code, ms: performance.now() - startedAt };
    },
    died,
    get isUp() {
      return isUp;
    },
    get pid() {
      return server?.child.pid ?? 0;
    },
    whenUp: async () => {
      await up.promise;
    },
    output: () => server?.output() ?? '',
    dispose: async () => {
      await end('SIGKILL');
      if (dataDir === undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
};
