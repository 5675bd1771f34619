import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSimulator, type Simulator } from '../../src/services/llm/simulator/index.ts';
import { describeOnEachDatabase } from '../support/databases.ts';
import { call, PASSWORD } from '../support/http.ts';
import { SOURCE_ENTRY, spawnServer, startServer, type ServerProcess } from '../support/serverProcess.ts';
import { readEvents, textOf, type SseEvent } from '../support/sse.ts';
import { waitFor } from '../support/waitFor.ts';

let upstream: Simulator;
const servers: ServerProcess[] = [];
const directories: string[] = [];

beforeAll(async () => {
  upstream = await createSimulator({ tokenDelayMs: 0, models: ['sim/slow:15', 'sim/stall-mid:5', 'sim/echo'] });
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.end('SIGKILL');
});
afterAll(async () => {
  await upstream.close();
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

const newDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'parley-e2e-'));
  directories.push(directory);
  return directory;
};

const upstreamEnv = () => ({
  OPENROUTER_BASE_URL: upstream.baseUrl,
  OPENROUTER_API_KEY: upstream.apiKey,
  OPENROUTER_MODELS: 'sim/slow:15,sim/stall-mid:5,sim/echo',
});

const start = async (env: Readonly<Record<string, string>>): Promise<ServerProcess> => {
  const server = await startServer(SOURCE_ENTRY, { ...upstreamEnv(), ...env });
  servers.push(server);
  return server;
};

const signUp = async (url: string): Promise<string> => {
  const json = { username: 'someone', email: 'someone@example.com', password: PASSWORD, session: 'token' };
  return String((await call(`${url}/api/auth/signup`, { method: 'POST', json })).body.accessToken);
};

const openStream = async (url: string, token: string, body: object): Promise<AsyncGenerator<SseEvent>> => {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', Accept: 'text/event-stream' };
  return readEvents(await fetch(`${url}/api/chat/message`, { method: 'POST', headers, body: JSON.stringify(body) }));
};

/** Ends a server that must refuse to start: its exit code and all that it printed. */
const refusalOf = async (env: Readonly<Record<string, string>>): Promise<{ code: number | null; output: string }> => {
  const child = spawnServer(SOURCE_ENTRY, { DATA_DIR: newDirectory(), ...env });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
};

await describeOnEachDatabase((database) => {
  test('a process killed in mid-reply loses nothing that was shown, and the next one closes the reply', async () => {
    const env = { ...database.env(), DATA_DIR: newDirectory() };
    const first = await start(env);
    const token = await signUp(first.url);
    const seen: SseEvent[] = [];
    const read = async (): Promise<void> => {
      for await (const event of await openStream(first.url, token, { content: 'x', model: 'sim/stall-mid:5' })) {
        seen.push(event);
        if (textOf(seen).split(' ').length >= 5) void first.end('SIGKILL');
      }
    };
    await expect(read()).rejects.toThrow();
    const messageId = String(seen[0]?.data.messageId);

    const second = await start(env);
    const headers = { Authorization: `Bearer ${token}` };
    const events: SseEvent[] = [];
    const response = await fetch(`${second.url}/api/chat/messages/${messageId}/stream`, { headers });
    for await (const event of readEvents(response)) events.push(event);
    expect(events.at(-1)).toMatchObject({ event: 'failed', data: { status: 'interrupted' } });
    expect(textOf(events).startsWith(textOf(seen))).toBe(true);
    const calls = upstream.log.length;
    const stored = await call(`${second.url}/api/chat/messages/${messageId}`, { headers });
    expect(stored.body).toMatchObject({ status: 'interrupted', content: textOf(events) });
    expect(upstream.log.length).toBe(calls);
  });

  test('SIGTERM lets a running reply finish, refuses new ones and exits with 0', async () => {
    const server = await start({ ...database.env(), DATA_DIR: newDirectory() });
    const token = await signUp(server.url);
    const seen: SseEvent[] = [];
    let refused: Promise<{ status: number; body: { code: string } }> | null = null;
    let exit: Promise<number | NodeJS.Signals> | null = null;
    for await (const event of await openStream(server.url, token, { content: 'x', model: 'sim/slow:15' })) {
      seen.push(event);
      exit ??= event.event === 'delta' ? server.end('SIGTERM') : null;
      if (exit && !refused && server.output().includes('shutting down')) {
        refused = call(`${server.url}/api/chat/message`, {
          method: 'POST',
          headers: { Authorization: `Bearer ${token}` },
          json: { content: 'y' },
        });
      }
    }
    expect(seen.at(-1)).toMatchObject({ event: 'end', data: { status: 'complete' } });
    expect(await refused).toMatchObject({ status: 503, body: { code: 'SHUTTING_DOWN' } });
    expect(await exit).toBe(0);
  });
});

describe('starting', () => {
  test('every mistake in the configuration is told at once, no secret among it, and nothing listens', async () => {
    const { code, output } = await refusalOf({
      PORT: 'x',
      TEMPERATURE: '9',
      CORS_ORIGINS: '*',
      MONGODB_URI: 'hunter2-secret',
      RESPONSE_WAIT: 'long',
    });
    expect(code).toBe(1);
    for (const name of ['PORT', 'TEMPERATURE', 'CORS_ORIGINS', 'MONGODB_URI', 'RESPONSE_WAIT'])
      expect(output).toContain(`- ${name} `);
    expect(output).not.toContain('hunter2');
    expect(output).not.toContain('listening');
  });

  test('production refuses a missing or weak secret and an unsaid simulator', async () => {
    const missing = await refusalOf({ NODE_ENV: 'production', BCRYPT_COST: '12' });
    expect(missing.code).toBe(1);
    expect(missing.output).toMatch('JWT_SECRET must be set');
    expect(missing.output).toMatch('LLM_PROVIDER=simulator');
    const weak = await refusalOf({
      NODE_ENV: 'production',
      BCRYPT_COST: '12',
      JWT_SECRET: 'changeme'.repeat(5),
      LLM_PROVIDER: 'simulator',
    });
    expect(weak.output).toMatch('JWT_SECRET must have at least 32 bytes and not be an example');
  });

  test('production with a secret and the simulator said starts, makes no admin and prints no greeting', async () => {
    const env = {
      NODE_ENV: 'production',
      BCRYPT_COST: '12',
      LLM_PROVIDER: 'simulator',
      JWT_SECRET: 'k3JfQ0t9y2mXw8RzV5nB7cL1dH6gS4pA',
    };
    const server = await start({
      ...env,
      OPENROUTER_BASE_URL: '',
      OPENROUTER_API_KEY: '',
      OPENROUTER_MODELS: '',
      PUBLIC_URL: 'https://chat.example.com',
      DATA_DIR: newDirectory(),
    });
    expect(server.output()).not.toContain('Paste this');
    await waitFor(() => server.output().includes('TRUST_PROXY is 0'));
    expect((await call(`${server.url}/health/ready`)).status).toBe(200);
  });

  test('a second process on the same data directory is refused, and the first goes on', async () => {
    const directory = newDirectory();
    const server = await start({ DATA_DIR: directory });
    const { code, output } = await refusalOf({ DATA_DIR: directory });
    expect(code).toBe(1);
    expect(output).toContain('could not start');
    expect(output).toContain(directory);
    expect((await call(`${server.url}/health/ready`)).status).toBe(200);
  });

  test('a port that is taken is told, with exit code 1', async () => {
    const server = await start({ DATA_DIR: newDirectory() });
    const { code, output } = await refusalOf({ PORT: new URL(server.url).port });
    expect(code).toBe(1);
    expect(output).toContain('EADDRINUSE');
  });

  test('in development an admin gets a password of its own in a file for its owner alone, and can log in', async () => {
    const directory = newDirectory();
    const server = await start({ DATA_DIR: directory });
    const file = join(directory, 'admin-password');
    const password = readFileSync(file, 'utf8').trim();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(server.output()).not.toContain(password);
    const login = await call(`${server.url}/api/auth/login`, {
      method: 'POST',
      json: { username: 'admin', password, session: 'token' },
    });
    expect(login).toMatchObject({ status: 200, body: { user: { role: 'admin' } } });
  });
});
