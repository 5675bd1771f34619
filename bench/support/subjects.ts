import { createHmac, randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { connectOpenAi, connectRelay, connectSocketIo, connectSse, connectUpstream, type Client } from './clients.ts';
import { startChild, type Child, type Place } from './processes.ts';
import { MODELS } from './tokens.ts';

const PASSWORD = 'Correct-Horse-7';
const SECRET = randomBytes(48).toString('base64');

export interface Account {
  readonly username: string;
  readonly password: string;
  readonly token: string;
}

export type SubjectName =
  | 'relay'
  | 'handwritten'
  | 'pipe'
  | 'express-pipe'
  | 'parley'
  | 'parley-second'
  | 'parley-end'
  | 'parley-sse'
  | 'parley-v1';

/** One way to get a model's answer to clients, with users who are logged in. */
export interface Subject {
  readonly name: SubjectName;
  readonly child: Child;
  readonly accounts: readonly Account[];
  readonly connect: (user: number) => Promise<Client>;
}

/** Where everything of a run is. */
export interface Ground {
  /** The built server's folder. */
  readonly dist: string;
  /** A folder for data and logs; on a disk, since memory makes nobody wait. */
  readonly directory: string;
  readonly upstreamUrl: string;
}

export interface ServerOptions {
  readonly users: number;
  readonly place?: Place;
  readonly bcryptCost?: number;
  readonly hasProbe?: boolean;
  /** More arguments for Node, such as `--cpu-prof`. */
  readonly nodeArgs?: readonly string[];
  /** Parley's settings over the bench's own. */
  readonly env?: Readonly<Record<string, string>>;
}

const PROBE = ['--import', join(import.meta.dirname, 'probe.ts')];
const nodeArgsOf = ({ hasProbe = false, nodeArgs = [] }: ServerOptions): string[] => [
  ...(hasProbe ? PROBE : []),
  ...nodeArgs,
];
let started = 0;

const freshDirectory = (ground: Ground, name: string): string => {
  const directory = join(ground.directory, `${name}-${String((started += 1))}`);
  mkdirSync(directory, { recursive: true });
  return directory;
};

const post = async (url: string, body: object): Promise<{ accessToken: string }> => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${url}: ${String(response.status)} ${await response.text()}`);
  return (await response.json()) as { accessToken: string };
};

/** Signs users up through the front door; `extra` is what a server wants besides. */
const signUp = async (url: string, users: number, extra: object): Promise<Account[]> => {
  const accounts: Account[] = [];
  for (let count = 0; count < users; count += 1) {
    const username = `bench_${randomBytes(8).toString('hex')}`;
    const email = `${username}@example.com`;
    const body = { username, email, password: PASSWORD, ...extra };
    const { accessToken: token } = await post(`${url}/api/auth/signup`, body);
    accounts.push({ username, password: PASSWORD, token });
  }
  return accounts;
};

const tokenOf = (accounts: readonly Account[], user: number): string => accounts[user % accounts.length]?.token ?? '';

export const startUpstream = (directory: string): Promise<Child> =>
  startChild({
    name: 'upstream',
    place: 'load',
    args: [join(import.meta.dirname, '..', 'upstream.ts'), '{port}'],
    env: {},
    directory,
  });

export const startRelay = async (ground: Ground, options: ServerOptions): Promise<Subject> => {
  const child = await startChild({
    name: 'relay',
    place: options.place ?? 'server',
    args: [...nodeArgsOf(options), join(import.meta.dirname, '..', 'baselines', 'relay.ts')],
    env: { OPENAI_BASE_URL: `${ground.upstreamUrl}/v1` },
    directory: freshDirectory(ground, 'relay'),
  });
  return { name: 'relay', child, accounts: [], connect: () => connectRelay(child.url) };
};

export const startPipe = async (ground: Ground, options: ServerOptions): Promise<Subject> => {
  const child = await startChild({
    name: 'pipe',
    place: options.place ?? 'server',
    args: [...nodeArgsOf(options), join(import.meta.dirname, '..', 'baselines', 'pipe.ts')],
    env: { OPENAI_BASE_URL: `${ground.upstreamUrl}/v1` },
    directory: freshDirectory(ground, 'pipe'),
  });
  return { name: 'pipe', child, accounts: [], connect: () => connectOpenAi(child.url, '') };
};

/** A token like Parley's, as long and signed the same way. */
const signedToken = (): string => {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    iss: 'parley',
    aud: 'parley',
    sub: randomBytes(16).toString('hex'),
    sid: randomBytes(16).toString('hex'),
  };
  const exp = Math.floor(Date.now() / 1000) + 7200;
  const signed = `${part({ alg: 'HS256', typ: 'at+jwt' })}.${part({ ...claims, role: 'user', jti: randomBytes(16).toString('hex'), exp })}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
};

export const startExpressPipe = async (ground: Ground, options: ServerOptions): Promise<Subject> => {
  const child = await startChild({
    name: 'express-pipe',
    place: options.place ?? 'server',
    args: [...nodeArgsOf(options), join(import.meta.dirname, '..', 'baselines', 'expressPipe.ts')],
    env: { OPENAI_BASE_URL: `${ground.upstreamUrl}/v1`, JWT_SECRET: SECRET },
    directory: freshDirectory(ground, 'express-pipe'),
  });
  const token = signedToken();
  return { name: 'express-pipe', child, accounts: [], connect: () => connectOpenAi(child.url, token) };
};

export const startHandwritten = async (ground: Ground, options: ServerOptions): Promise<Subject> => {
  const directory = freshDirectory(ground, 'handwritten');
  const child = await startChild({
    name: 'handwritten',
    place: options.place ?? 'server',
    args: [...nodeArgsOf(options), join(import.meta.dirname, '..', 'baselines', 'handwritten.ts')],
    env: {
      OPENAI_BASE_URL: `${ground.upstreamUrl}/v1`,
      DATA_DIR: directory,
      JWT_SECRET: SECRET,
      BCRYPT_COST: String(options.bcryptCost ?? 10),
    },
    directory,
  });
  const accounts = await signUp(child.url, options.users, {});
  return {
    name: 'handwritten',
    child,
    accounts,
    connect: (user) => connectSocketIo(child.url, tokenOf(accounts, user)),
  };
};

/** Parley as an operator runs it: the build, production settings, the embedded database; only the limits are off. */
const startServer = (ground: Ground, options: ServerOptions, directory: string): Promise<Child> =>
  startChild({
    name: 'parley',
    place: options.place ?? 'server',
    args: ['--disable-proto=delete', ...nodeArgsOf(options), join(ground.dist, 'server.js')],
    env: {
      DATA_DIR: directory,
      JWT_SECRET: SECRET,
      BCRYPT_COST: String(options.bcryptCost ?? 10),
      ACCESS_TOKEN_TTL: '1d',
      OPENROUTER_BASE_URL: `${ground.upstreamUrl}/v1`,
      OPENROUTER_MODELS: MODELS.join(','),
      RATE_LIMIT_AUTH_PER_MINUTE: '0',
      RATE_LIMIT_API_PER_MINUTE: '0',
      RATE_LIMIT_CHAT_PER_SECOND: '0',
      MAX_CONNECTIONS_PER_USER: '0',
      QUOTA_CONCURRENT_REPLIES: '0',
      ...options.env,
    },
    directory,
  });

export const startParley = async (ground: Ground, options: ServerOptions): Promise<Subject> => {
  const child = await startServer(ground, options, freshDirectory(ground, 'parley'));
  const accounts = await signUp(child.url, options.users, { session: 'token' });
  return { name: 'parley', child, accounts, connect: (user) => connectSocketIo(child.url, tokenOf(accounts, user)) };
};

/** The same server by its other door. */
export const overSse = (parley: Subject): Subject => ({
  ...parley,
  name: 'parley-sse',
  connect: (user) => connectSse(parley.child.url, tokenOf(parley.accounts, user)),
});

/** The same server as an OpenAI API. */
export const overOpenAi = (parley: Subject): Subject => ({
  ...parley,
  name: 'parley-v1',
  connect: (user) => connectOpenAi(parley.child.url, tokenOf(parley.accounts, user)),
});

export const connectDirect = (ground: Ground): Promise<Client> => connectUpstream(ground.upstreamUrl);

/** Who keeps nothing of what was said. */
const STATELESS: ReadonlySet<SubjectName> = new Set(['relay', 'pipe', 'express-pipe', 'parley-v1']);

/** The stored text of a reply; undefined where a server stores nothing. */
export const storedText = async (subject: Subject, user: number, messageId: string): Promise<string | undefined> => {
  if (STATELESS.has(subject.name)) return undefined;
  const response = await fetch(`${subject.child.url}/api/chat/messages/${messageId}`, {
    headers: { Authorization: `Bearer ${tokenOf(subject.accounts, user)}` },
  });
  const body = (await response.json()) as { content?: string; message?: { content: string } };
  return body.message?.content ?? body.content;
};

/** Signs in as one user; resolves with the milliseconds it took. */
export const logIn = async (subject: Subject, user: number): Promise<number> => {
  const account = subject.accounts[user % subject.accounts.length];
  const startedAt = performance.now();
  await post(`${subject.child.url}/api/auth/login`, {
    username: account?.username,
    password: account?.password,
    ...(subject.name === 'parley' ? { session: 'token' } : {}),
  });
  return performance.now() - startedAt;
};
