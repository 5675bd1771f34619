import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** Microseconds of one tick of /proc/<pid>/stat: Linux has 100 a second. */
const TICK_US = 10_000;
const START_MS = 30_000;
const STOP_MS = 30_000;

/** Which core a process runs on: servers on one, load and upstream on the other. */
export type Place = 'server' | 'load' | 'anywhere';

export const canPin =
  process.platform === 'linux' && availableParallelism() > 1 && spawnSync('taskset', ['-V']).status === 0;

const CORES: Readonly<Record<Place, string>> = {
  server: '0',
  load: '1',
  anywhere: `0-${String(availableParallelism() - 1)}`,
};

/** Moves this process, the load, to its core. */
export const pinSelf = (place: Place): void => {
  if (canPin) spawnSync('taskset', ['-acp', CORES[place], String(process.pid)]);
};

export interface ChildOptions {
  readonly name: string;
  readonly place: Place;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
}

/** A process of the bench, on loopback. */
export interface Child {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  /** Microseconds of CPU so far, of all its threads. */
  cpuUs(): number;
  rssBytes(): number;
  /** Asks the probe (probe.ts), which must be loaded: collects garbage, and tells. */
  probe(): Promise<Probe>;
  stop(): Promise<void>;
}

export interface Probe {
  readonly heapBytes: number;
  readonly reads: number;
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
};

const waitUntilUp = async (child: ChildProcess, url: string, log: string): Promise<void> => {
  const until = Date.now() + START_MS;
  while (Date.now() < until) {
    if (child.exitCode !== null) break;
    try {
      const answer = await fetch(`${url}/health`);
      await answer.arrayBuffer();
      if (answer.ok) return;
    } catch {
      // Not yet.
    }
    await sleep(50);
  }
  child.kill('SIGKILL');
  throw new Error(`${url} did not come up:\n${readFileSync(log, 'utf8').slice(-2000)}`);
};

const cpuUsOf = (pid: number): number => {
  const fields = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
};

const rssBytesOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1] ?? NaN) * 1024;

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const cut = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await exited;
  clearTimeout(cut);
};

const PROBE_LINE = /^bench-probe (\{.*\})$/gm;

const lastProbe = (log: string): { count: number; probe: Probe | null } => {
  const lines = [...readFileSync(log, 'utf8').matchAll(PROBE_LINE)];
  const text = lines.at(-1)?.[1];
  return { count: lines.length, probe: text === undefined ? null : (JSON.parse(text) as Probe) };
};

const probe = async (child: ChildProcess, log: string): Promise<Probe> => {
  const before = lastProbe(log).count;
  child.kill('SIGUSR2');
  for (let tries = 0; tries < 300; tries += 1) {
    await sleep(50);
    const { count, probe: found } = lastProbe(log);
    if (found && count > before) return found;
  }
  throw new Error('the probe did not answer');
};

/** Only what a process needs to run: nothing of the machine's own settings may decide a figure. */
const systemEnv = (): Record<string, string> => {
  const names = ['PATH', 'HOME', 'TMPDIR'];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
};

/**
 * Starts a Node process on a free port and resolves once it answers. Its output goes to a file: a pipe would make the
 * load read it. `{port}` in an argument is the port; `PORT` has it too.
 */
export const startChild = async ({ name, place, args, env, directory }: ChildOptions): Promise<Child> => {
  const port = String(await freePort());
  const log = `${directory}/${name}.log`;
  const output = createWriteStream(log);
  await once(output, 'open');
  const command = [process.execPath, ...args.map((arg) => arg.replace('{port}', port))];
  const pinned = canPin ? ['taskset', '-c', CORES[place], ...command] : command;
  const child = spawn(pinned[0] ?? '', pinned.slice(1), {
    env: { ...systemEnv(), NODE_ENV: 'production', PORT: port, ...env },
    stdio: ['ignore', output, output],
    cwd: directory,
  });
  output.close();
  const url = `http://127.0.0.1:${port}`;
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} could not be started`);
  children.add(child);
  await waitUntilUp(child, url, log);
  return {
    name,
    url,
    pid,
    cpuUs: () => cpuUsOf(pid),
    rssBytes: () => rssBytesOf(pid),
    probe: () => probe(child, log),
    stop: async () => {
      await stop(child);
      children.delete(child);
    },
  };
};

const children = new Set<ChildProcess>();

/** Ends what is still running, by its own handle and never by name. */
export const stopAll = async (): Promise<void> => {
  await Promise.all([...children].map(stop));
};
