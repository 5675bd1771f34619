import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A server in a process of its own, as an operator runs it. */
export interface ServerProcess {
  readonly url: string;
  readonly child: ChildProcess;
  /** Everything that it has printed. */
  output(): string;
  /** Sends the signal and resolves with the exit code, or the signal that ended it. */
  end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

export const SOURCE_ENTRY = fileURLToPath(new URL('../../src/server.ts', import.meta.url));
export const BUILT_ENTRY = fileURLToPath(new URL('../../dist/server.js', import.meta.url));

import { secretWatch } from './canaries/watch.ts';
import { watchEnv } from './canaries/taps.ts';

type Env = Readonly<Record<string, string>>;

const BASE_ENV: Env = {
  PORT: '0',
  LOG_FORMAT: 'json',
  BCRYPT_COST: '4',
  RATE_LIMIT_AUTH_PER_MINUTE: '0',
  RATE_LIMIT_API_PER_MINUTE: '0',
  RATE_LIMIT_CHAT_PER_SECOND: '0',
  QUOTA_CONCURRENT_REPLIES: '0',
};

/** Only what a process needs to run: nothing of the machine's own settings may decide a test. */
const systemEnv = (): Record<string, string> => {
  const names = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'TMP', 'SystemRoot'];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
};

export const spawnServer = (entry: string, env: Env): ChildProcess => {
  watchEnv(env);
  const child = spawn(process.execPath, ['--disable-proto=delete', entry], {
    env: { ...systemEnv(), ...BASE_ENV, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // Away from a `.env` of the project's.
    cwd: env.DATA_DIR,
  });
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => secretWatch.see('a server’s output', line));
  }
  return child;
};

/** Where the log says that the server listens, or null. */
const urlIn = (line: string): string | null => {
  if (!line.includes('"listening"')) return null;
  const { url } = JSON.parse(line) as { url?: string };
  return url ?? null;
};

/** Starts a server and resolves once it listens. `env.DATA_DIR` is its directory. @throws Error with its output when it ends before */
export const startServer = async (entry: string, env: Env): Promise<ServerProcess> => {
  const child = spawnServer(entry, env);
  let output = '';
  const lines = createInterface({ input: child.stdout ?? process.stdin });
  const listening = Promise.withResolvers<string>();
  lines.on('line', (line) => {
    output += `${line}\n`;
    const url = urlIn(line);
    if (url !== null) listening.resolve(url);
  });
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.once('exit', (code) => listening.reject(new Error(`the server ended with ${String(code)}:\n${output}`)));
  const url = await listening.promise;
  return {
    url,
    child,
    output: () => output,
    end: async (signal) => {
      const over = child.exitCode ?? child.signalCode;
      if (over !== null) return over;
      const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
      child.kill(signal);
      const [code, endedBy] = await exited;
      return code ?? endedBy ?? 0;
    },
  };
};
