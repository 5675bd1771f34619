import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import request from 'supertest';
import { loadConfig } from '../../src/config/index.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { startNode, type RunningNode } from '../../src/node.ts';
import { secretWatch } from './canaries/watch.ts';
import { watchEnv } from './canaries/taps.ts';

export const PASSWORD = 'Canary-Horse-7';
secretWatch.addSecret('a password', PASSWORD);

export interface NewAccount {
  readonly username: string;
  readonly email: string;
  readonly password: string;
}

/** Nobody has this account yet. */
export const newAccount = (): NewAccount => {
  const username = `user_${randomBytes(8).toString('hex')}`;
  return { username, email: `${username}@example.com`, password: PASSWORD };
};

export interface Tokens {
  readonly id: string;
  readonly accessToken: string;
  readonly refreshToken: string;
}

const tokensOf = (body: { user: { id: string }; accessToken: string; refreshToken: string }): Tokens => ({
  id: body.user.id,
  accessToken: body.accessToken,
  refreshToken: body.refreshToken,
});

/** A new account with a login in `session: token`. */
export const signUp = async (url: string): Promise<NewAccount & Tokens> => {
  const account = newAccount();
  const { body } = await request(url)
    .post('/api/auth/signup')
    .send({ ...account, session: 'token' })
    .expect(201);
  return { ...account, ...tokensOf(body) };
};

/** One more login of an account, in `session: token`. */
export const logIn = async (
  url: string,
  { username, password }: Pick<NewAccount, 'username' | 'password'> & Partial<NewAccount>,
): Promise<Tokens> => {
  const { body } = await request(url)
    .post('/api/auth/login')
    .send({ username, password, session: 'token' })
    .expect(200);
  return tokensOf(body);
};

export const bearer = (token: string): { Authorization: string } => ({ Authorization: `Bearer ${token}` });

/** `name=value` of each cookie that an answer set. */
export const cookiesOf = (setCookie: unknown): string[] =>
  (Array.isArray(setCookie) ? setCookie : []).map((cookie: string) => cookie.split(';', 1)[0] ?? '');

/** A node whose time a test moves. */
export interface ClockNode {
  readonly url: string;
  readonly node: RunningNode;
  advance(ms: number): void;
  stop(): Promise<void>;
}

export const startClockNode = async (env: Readonly<Record<string, string>> = {}): Promise<ClockNode> => {
  const dataDir = mkdtempSync(join(tmpdir(), 'parley-clock-'));
  watchEnv(env);
  const config = loadConfig({
    NODE_ENV: 'test',
    PORT: '0',
    DATA_DIR: dataDir,
    BCRYPT_COST: '4',
    RATE_LIMIT_AUTH_PER_MINUTE: '0',
    LOGIN_THROTTLE: 'false',
    RATE_LIMIT_API_PER_MINUTE: '0',
    ...env,
  });
  const stream = new PassThrough().resume();
  const logger = createLogger({ level: 'debug', format: 'json', service: 'parley', stream });
  let now = Date.now();
  const node = await startNode(config, logger, { now: () => now });
  return {
    url: node.url,
    node,
    advance: (ms) => {
      now += ms;
    },
    stop: async () => {
      await node.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
};
