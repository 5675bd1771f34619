import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { createApp } from '../../src/app.ts';
import { redact } from '../../src/lib/logger.ts';
import { routesOf, type DeclaredRoute } from '../../src/middleware/routeTable.ts';
import { clientEvents } from '../../src/schemas/socketEvents.ts';
import { driveRoute, driveSockets, type Seen } from '../support/canaries/drive.ts';
import { startGossip, type Gossip } from '../support/canaries/gossip.ts';
import {
  CANARY_NAMES,
  newUriPassword,
  plant,
  secretOf,
  type CanaryName,
  type Planted,
} from '../support/canaries/plant.ts';
import { createSecretWatch, newCanary } from '../support/canaries/watch.ts';
import { call } from '../support/http.ts';
import { startMailbox, type Mailbox } from '../support/mailbox.ts';
import { connectRaw } from '../support/rawSocket.ts';
import { SOURCE_ENTRY, startServer } from '../support/serverProcess.ts';
import { startWorld, type World } from '../support/world.ts';

/** The last one ends the key, and with it all of them. */
const MODELS = ['sim/ok', 'sim/500', 'sim/403-moderation', 'sim/err-mid', 'sim/malformed', 'sim/502-html', 'sim/401'];
const GOSSIP = ['gossip/400', 'gossip/401', 'gossip/403', 'gossip/500', 'gossip/stream', 'gossip/garbage'];
/** Of a refused port: whoever connects to it logs why it failed. */
const DATABASE_URI = `mongodb://parley:${newUriPassword()}@127.0.0.1:1/parley`;
const ADMIN_PASSWORD = newCanary('Admin7');
const MODEL_KEY = newCanary('sk-model');
const directories: string[] = [];

let mailbox: Mailbox;
let gossip: Gossip;
let world: World;
let talking: World;
let planted: Planted;
let routes: readonly DeclaredRoute[];
const searched = createSecretWatch();
/** The same for what may hold the text of a message but no secret: mails, the database. */
const kept = createSecretWatch();
let answers = 0;

const look = ({ source, status, text }: Seen): void => {
  answers += 1;
  if (status >= 400) searched.see(source, text);
};
beforeAll(async () => {
  mailbox = await startMailbox();
  gossip = await startGossip();
  const env = {
    SMTP_URL: mailbox.url,
    MAIL_FROM: 'no-reply@example.com',
    PUBLIC_URL: 'https://chat.example.com',
    ADMIN_PASSWORD,
    MAX_CONNECTIONS_PER_USER: '0',
  };
  world = await startWorld({ env, models: MODELS });
  const gossipEnv = { OPENROUTER_BASE_URL: gossip.baseUrl, OPENROUTER_API_KEY: MODEL_KEY };
  talking = await startWorld({
    env: { ...env, ...gossipEnv, OPENROUTER_MODELS: GOSSIP.join(',') },
    upstream: world.upstream,
  });
  planted = await plant(world.url, mailbox, DATABASE_URI);
  const secrets = CANARY_NAMES.map((name) => [name, secretOf(name, planted.canaries[name])] as const);
  for (const [name, secret] of secrets) {
    searched.addSecret(name, secret);
    if (name !== 'message') kept.addSecret(name, secret);
  }
  for (const watch of [searched, kept]) {
    watch.addSecret('the admin’s password', ADMIN_PASSWORD);
    watch.addSecret('the key of the models', MODEL_KEY);
  }
  routes = routesOf(createApp(world.node.container));
});
afterAll(async () => {
  await world.stop();
  await talking.stop();
  await gossip.close();
  await mailbox.stop();
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

const newDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'parley-canaries-'));
  directories.push(directory);
  return directory;
};
const canary = (name: CanaryName): string => planted.canaries[name];
const post = async (at: World, path: string, json: object, token?: string) => {
  const headers: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const answer = await call(`${at.url}${path}`, { method: 'POST', json, headers });
  look({ source: path, status: answer.status, text: JSON.stringify(answer.body) });
  return answer;
};
const expectNoLeak = (watch: typeof searched): void => {
  expect(watch.counts.characters).toBeGreaterThan(1000);
  expect(watch.leaks()).toEqual([]);
};

describe('eight canaries in use', () => {
  test('what is planted is real: the password, the tokens and the key let in, and the message is in the chat', async () => {
    const { canaries, username, chatId } = planted;
    expect(Object.values(canaries).every((value) => value.length >= 16)).toBe(true);
    expect(
      (await post(world, '/api/auth/login', { username, password: canaries.password, session: 'token' })).status,
    ).toBe(200);
    for (const token of [canaries.JWT, canaries['API key']]) {
      const headers = { Authorization: `Bearer ${token}` };
      const { body } = await call(`${world.url}/api/chat/history?chatId=${chatId}`, { headers });
      expect(JSON.stringify(body)).toContain(JSON.stringify(canaries.message));
    }
    const refreshed = await call(`${world.url}/api/auth/refresh`, {
      method: 'POST',
      json: {},
      headers: { Cookie: canaries.cookie, Origin: world.url },
    });
    expect(refreshed.status).toBe(200);
  });

  test('used as their owner uses them, over every door, they stay where they belong', async () => {
    const { canaries, username, messageId, deviceToken } = planted;
    const content = canaries.message;
    const { JWT } = canaries;
    const key = canaries['API key'];
    const attempts = [
      post(world, '/api/auth/login', { username: canaries.password, password: content }),
      post(world, '/api/auth/login', { username, password: `${canaries.password}x`, deviceToken }),
      post(world, '/api/auth/password', { currentPassword: canaries.password, newPassword: 'short' }, JWT),
      post(world, '/api/auth/verify-email', { token: canaries['mail token'] }),
      post(world, '/api/auth/reset-password', { token: canaries['mail token'], password: 'short' }),
      post(world, '/api/chat/message', { content, chatId: newUriPassword() }, JWT),
      post(world, '/api/chat/batch', { items: [{ content, clientMessageId: 'a' }] }, JWT),
      post(world, `/api/chat/messages/${messageId}/regenerate`, { stream: false }, JWT),
      post(world, `/api/chat/messages/${messageId}/feedback`, { rating: 'down', comment: content }, JWT),
      post(world, '/api/chat/sessions', { title: content, systemPrompt: content }, key),
    ];
    const seen = await Promise.all(attempts);
    expect(seen.map(({ status }) => status)).toEqual(expect.arrayContaining([200, 400, 401, 404]));
    const failed = new Set<string>();
    for (const model of MODELS) {
      const messages = [{ role: 'user', content }];
      const told = await Promise.all([
        post(world, '/api/chat/message', { content, model, stream: false }, JWT),
        post(world, '/v1/chat/completions', { model, messages }, key),
        post(world, '/v1/chat/completions', { model, messages, stream: true }, key),
      ]);
      if (told.some(({ status, body }) => status >= 500 || body.message?.status === 'failed')) failed.add(model);
    }
    expect(failed.size).toBeGreaterThanOrEqual(2);
    const raw = await connectRaw(world.url, { token: JWT });
    for (const frame of [
      { type: 'message', content, chatId: 5 },
      { type: content },
      { type: 'resume', messageId: content },
    ]) {
      look({ source: 'a raw frame', status: 400, text: JSON.stringify(await raw.ask(frame)) });
    }
    raw.send(`{"type":"message","content":"${content}`);
    raw.close();
    expectNoLeak(searched);
  });

  test('a model endpoint whose errors quote the key and the whole request, asked at each door, is quoted nowhere', async () => {
    const user = await talking.signUp();
    const { body: key } = await user.call('POST', '/api/keys', { name: 'k', scopes: ['chat'] });
    for (const model of GOSSIP) {
      const asked = { content: canary('message'), model };
      const plain = await post(talking, '/api/chat/message', { ...asked, stream: false }, user.accessToken);
      const reply = plain.body.message ?? plain.body;
      look({ source: `the reply of ${model}`, status: 500, text: JSON.stringify({ ...reply, userMessage: null }) });
      for (const { event, data } of await user.stream('/api/chat/message', asked)) {
        if (event === 'failed') look({ source: `the stream of ${model}`, status: 500, text: JSON.stringify(data) });
      }
      const messages = [{ role: 'user', content: canary('message') }];
      for (const stream of [true, false]) {
        const { status, body } = await post(talking, '/v1/chat/completions', { model, messages, stream }, key.key);
        look({ source: `/v1 with ${model}`, status: Math.max(status, 400), text: JSON.stringify(body) });
      }
    }
    expect(talking.logText()).toContain('gossip/500');
    searched.see('the log beside a bad endpoint', talking.logText());
    expectNoLeak(searched);
  });

  test('every route, asked in every wrong way with canaries in its body, query, headers and cookies, quotes none', async () => {
    // Last who ends the login that the others use.
    const order = routes.toSorted(
      (one, other) => Number(one.path.endsWith('/logout')) - Number(other.path.endsWith('/logout')),
    );
    let asked = 0;
    for (const route of order) asked += await driveRoute(world.url, route, planted.canaries, look);
    expect(asked).toBeGreaterThan(routes.length * 5);
    expectNoLeak(searched);
  });

  test('every event of the live doors, sent with canaries in wrong places, quotes none', async () => {
    const again = await post(world, '/api/auth/login', {
      username: planted.username,
      password: canary('password'),
      session: 'token',
    });
    const canaries = { ...planted.canaries, JWT: again.body.accessToken };
    searched.addSecret('JWT', canaries.JWT);
    await driveSockets(world.url, Object.keys(clientEvents), canaries, look);
    expectNoLeak(searched);
  });
});

describe('what is kept', () => {
  test('the audit log, the sign-in history, the metrics and the mails hold none, but for the token in its own mail', async () => {
    const login = await post(world, '/api/auth/login', {
      username: 'admin',
      password: ADMIN_PASSWORD,
      session: 'token',
    });
    const headers = { Authorization: `Bearer ${String(login.body.accessToken)}` };
    let events = 0;
    for (let cursor = ''; ;) {
      const { body } = await call(`${world.url}/api/admin/audit?limit=100${cursor}`, { headers });
      searched.see('the audit log', JSON.stringify(body));
      events += body.events?.length ?? body.items?.length ?? 0;
      if (!body.nextCursor) break;
      cursor = `&cursor=${String(body.nextCursor)}`;
    }
    expect(events).toBeGreaterThan(8);
    searched.see('the metrics', await world.node.container.metrics.text());
    for (const { subject, text, headers: heads, token } of mailbox.mails) {
      kept.see(`the mail «${subject}»`, `${heads}\n${text}`.replace(`#token=${token}`, ''));
    }
    expectNoLeak(searched);
    expectNoLeak(kept);
  });

  test('the files of the database hold no password and no credential that lets somebody in', () => {
    for (const file of readdirSync(world.dataDir)) {
      if (file !== 'jwt-secret') kept.see(file, readFileSync(join(world.dataDir, file)).toString('latin1'));
    }
    expectNoLeak(kept);
  });
});

describe('when things break', () => {
  test('with its database gone, every route fails without a word about its input', async () => {
    // The planted login has ended on the way here, which needs no database to tell for half a minute.
    const credentials = { username: planted.username, password: canary('password') };
    const accessToken = String(
      (await post(world, '/api/auth/login', { ...credentials, session: 'token' })).body.accessToken,
    );
    searched.addSecret('JWT', accessToken);
    await world.node.container.stores.close();
    const before = answers;
    for (const route of routes) await driveRoute(world.url, route, planted.canaries, look);
    const failed = await post(world, '/api/auth/login', credentials);
    const sent = await post(world, '/api/chat/message', { content: canary('message') }, accessToken);
    expect([failed.status, sent.status]).toEqual([503, 503]);
    expect(answers).toBeGreaterThan(before + 100);
    searched.see('the log', world.logText());
    expectNoLeak(searched);
  });

  test('a server that cannot reach its MongoDB, or cannot read its address, never tells the address’s password', async () => {
    const secret = secretOf('database URI', canary('database URI'));
    const env = { NODE_ENV: 'test', LOG_LEVEL: 'debug', LLM_PROVIDER: 'simulator' };
    const server = await startServer(SOURCE_ENTRY, { ...env, DATA_DIR: newDirectory(), MONGODB_URI: DATABASE_URI });
    const ready = await call(`${server.url}/health/ready`);
    expect(ready.status).toBe(503);
    const json = { username: 'someone', email: 'a@example.com', password: canary('password') };
    const signup = await call(`${server.url}/api/auth/signup`, { method: 'POST', json });
    expect(signup.status).toBe(503);
    for (const { body } of [ready, signup]) searched.see('an answer without a database', JSON.stringify(body));
    await server.end('SIGTERM');
    searched.see('the output without a database', server.output());
    expect(server.output()).toContain('ECONNREFUSED');

    for (const uri of [
      `mongodb://parley:${secret}%zz@127.0.0.1:1/x`,
      `mongodb://parley:${secret}@127.0.0.1:99999999/x`,
      `mongodb://parley:${secret}@`,
      `mongodb+srv://parley:${secret}@nowhere.invalid:5/x?ssl=maybe`,
      `mongodb://parley:${secret}/with/slashes@127.0.0.1:1/x`,
      `mongo://parley:${secret}@127.0.0.1:1/x`,
    ]) {
      // What a start throws is logged by the process, through the same logger.
      const told = await startWorld({ env: { MONGODB_URI: uri }, upstream: world.upstream }).then(
        async (started) => {
          await started.stop();
          return started.logText();
        },
        (error: unknown) => inspect(redact(error)),
      );
      expect(told.length).toBeGreaterThan(50);
      searched.see('what is told of a bad address', told);
    }
    expectNoLeak(searched);
  });

  test('an exception that nobody caught, with credentials in its text, is logged without them and ends the process', async () => {
    const parts = [canary('database URI'), `Bearer ${canary('JWT')}`, canary('API key'), 'sk-or-v1-0123456789abcdef'];
    const thrower = `process.once('SIGUSR2', () => { throw new Error(${JSON.stringify(`lost ${parts.join(' ')}`)}, { cause: { password: ${JSON.stringify(canary('password'))} } }); });`;
    const directory = newDirectory();
    const file = join(directory, 'thrower.mjs');
    writeFileSync(file, thrower);
    const server = await startServer(SOURCE_ENTRY, {
      DATA_DIR: directory,
      LLM_PROVIDER: 'simulator',
      NODE_OPTIONS: `--import=${file}`,
    });
    server.child.kill('SIGUSR2');
    const [code] = (await once(server.child, 'exit')) as [number];
    expect(code).toBe(1);
    expect(server.output()).toContain('uncaughtException');
    expect(server.output()).toContain('lost mongodb://***@');
    searched.see('the output of a crash', server.output());
    expectNoLeak(searched);
  });
});

test('how much was searched', () => {
  const { characters } = searched.counts;
  process.stdout.write(
    `canaries: ${String(CANARY_NAMES.length)} planted, ${String(answers)} answers of ${String(routes.length)} routes, ` +
      `${String(characters)} characters of logs, errors, audit log and metrics searched, ${String(searched.leaks().length)} found\n`,
  );
  expect(answers).toBeGreaterThan(1000);
});
