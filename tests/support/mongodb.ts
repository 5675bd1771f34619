import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Mongoose } from 'mongoose';
import { findFerretdb, findProgram } from './ferretdb.ts';

/** A server that speaks MongoDB's wire protocol, for one test file or script. */
export interface TestMongodb {
  readonly kind: 'given' | 'mongod' | 'ferretdb';
  /** The URI of a database that nobody else has, under a random name. */
  newDatabase(): string;
  /** Ends what was started; on a server that was given, drops the databases that were handed out. */
  stop(): Promise<void>;
}

/** Says on a skipped test how not to skip it. */
export const HOW_TO_GET_MONGODB =
  'no MongoDB here: set TEST_MONGODB_URI, or put mongod on the PATH, or install Go 1.24 (FerretDB is built then)';

interface ServerProgram {
  readonly kind: 'mongod' | 'ferretdb';
  readonly command: string;
  readonly args: readonly string[];
  /** Tells from a line of output that the server listens, and where. */
  readonly uriIn: (line: string) => string | null;
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
};

const mongodProgram = async (command: string): Promise<ServerProgram> => {
  const port = String(await freePort());
  const socketArgs = process.platform === 'win32' ? [] : ['--nounixsocket'];
  return {
    kind: 'mongod',
    command,
    args: ['--dbpath', '{directory}', '--bind_ip', '127.0.0.1', '--port', port, ...socketArgs],
    uriIn: (line) => (/waiting for connections/i.test(line) ? `mongodb://127.0.0.1:${port}/` : null),
  };
};

const findServer = async (): Promise<ServerProgram | null> => {
  const mongod = findProgram('mongod');
  if (mongod !== null) return mongodProgram(mongod);
  const ferretdb = await findFerretdb();
  if (ferretdb === null) return null;
  const uriIn = (line: string): string | null => (line.startsWith('mongodb://') ? line : null);
  return { kind: 'ferretdb', command: ferretdb, args: ['{directory}'], uriIn };
};

const KEEPER = fileURLToPath(new URL('keeper.mjs', import.meta.url));

/** Starts the server behind its keeper and resolves with its URI once it listens. */
const run = async (program: ServerProgram): Promise<{ uri: string; keeper: ChildProcess }> => {
  const keeper = spawn(process.execPath, [KEEPER, program.command, ...program.args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  let errors = '';
  keeper.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-2000)));
  for await (const line of createInterface(keeper.stdout)) {
    const uri = program.uriIn(line);
    if (uri === null) continue;
    // What it prints later must be read, or it would block once the pipe is full; it keeps no process from ending.
    keeper.stdout.resume();
    for (const handle of [keeper, keeper.stdin, keeper.stdout, keeper.stderr]) {
      if ('unref' in handle && typeof handle.unref === 'function') handle.unref();
    }
    return { uri, keeper };
  }
  throw new Error(`${program.kind} did not start: ${errors}`);
};

/** `mongodb://host/?options` → the same with this database. */
const withDatabase = (uri: string, name: string): string => {
  const match = /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/[^?]*)?(\?.*)?$/.exec(uri);
  if (!match?.[1]) throw new Error('TEST_MONGODB_URI is not a MongoDB URI');
  return `${match[1]}/${name}${match[2] ?? ''}`;
};

/**
 * FerretDB lets one write through at a time here, and a test sends fifty at once on a machine that may do much else: the
 * product's 8 s (2 s for a connection) would be about the machine. What the product does about a silent server has tests of its own.
 */
export const PATIENCE = 'socketTimeoutMS=60000&waitQueueTimeoutMS=60000';

const withPatience = (uri: string): string => `${uri}${uri.includes('?') ? '&' : '?'}${PATIENCE}`;

const dropDatabase = async (uri: string): Promise<void> => {
  const connection = await new Mongoose().createConnection(uri).asPromise();
  await connection.dropDatabase();
  await connection.close();
};

const open = (kind: TestMongodb['kind'], serverUri: string, end: (uris: string[]) => Promise<void>): TestMongodb => {
  const handedOut: string[] = [];
  return {
    kind,
    newDatabase: () => {
      const uri = withDatabase(serverUri, `parley_${randomUUID().replaceAll('-', '').slice(0, 20)}`);
      handedOut.push(uri);
      return kind === 'ferretdb' ? withPatience(uri) : uri;
    },
    stop: () => end(handedOut),
  };
};

/**
 * Finds a MongoDB for tests: `TEST_MONGODB_URI`, else `mongod` on the PATH, else FerretDB where Go can build it.
 * What it starts ends with this process, however that ends. Null when there is none, which with `REQUIRE_MONGODB=1`
 * is an error.
 *
 * Each test file starts a server of its own (a tenth of a second; only the first FerretDB ever is built), instead of
 * one for the whole run: then a run that needs none starts none, and a file cannot be hurt by what another one does.
 */
export const startMongodb = async (): Promise<TestMongodb | null> => {
  const given = process.env.TEST_MONGODB_URI;
  if (given) {
    return open('given', given, async (uris) => {
      for (const uri of uris) await dropDatabase(uri);
    });
  }
  const program = await findServer();
  if (program === null) {
    if (process.env.REQUIRE_MONGODB === '1') throw new Error(HOW_TO_GET_MONGODB);
    return null;
  }
  const { uri, keeper } = await run(program);
  return open(program.kind, uri, async () => {
    if (keeper.exitCode !== null) return;
    const ended = once(keeper, 'exit');
    keeper.ref();
    keeper.stdin?.end();
    await ended;
  });
};
