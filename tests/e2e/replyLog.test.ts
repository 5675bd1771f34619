import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSimulator, type Simulator } from '../../src/services/llm/simulator/index.ts';
import { call, PASSWORD } from '../support/http.ts';
import { SOURCE_ENTRY, startServer, type ServerProcess } from '../support/serverProcess.ts';
import { readEvents, textOf, type SseEvent } from '../support/sse.ts';

/** Four seconds of text, so that some of it is older than a second when the process dies. */
const MODEL = 'sim/words:400';
const SHORT_MODEL = 'sim/words:20';

let upstream: Simulator;
let server: ServerProcess | null = null;
const directories: string[] = [];

beforeAll(async () => {
  upstream = await createSimulator({ tokenDelayMs: 10, models: [MODEL, SHORT_MODEL] });
});
afterEach(async () => {
  await server?.end('SIGKILL');
  server = null;
});
afterAll(async () => {
  await upstream.close();
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

const start = async (env: Readonly<Record<string, string>>): Promise<ServerProcess> => {
  server = await startServer(SOURCE_ENTRY, {
    OPENROUTER_BASE_URL: upstream.baseUrl,
    OPENROUTER_API_KEY: upstream.apiKey,
    OPENROUTER_MODELS: `${MODEL},${SHORT_MODEL}`,
    ...env,
  });
  return server;
};

const newEnv = (mode: string): Record<string, string> => {
  const directory = mkdtempSync(join(tmpdir(), 'parley-reply-log-'));
  directories.push(directory);
  return { DATA_DIR: directory, REPLY_LOG: mode };
};

const signUp = async (url: string): Promise<string> => {
  const json = { username: 'someone', email: 'someone@example.com', password: PASSWORD, session: 'token' };
  return String((await call(`${url}/api/auth/signup`, { method: 'POST', json })).body.accessToken);
};

const send = async (url: string, token: string, model: string): Promise<Response> =>
  fetch(`${url}/api/chat/message`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', Accept: 'text/event-stream' },
    body: JSON.stringify({ content: 'x', model }),
  });

/** Follows a new reply and kills the server once so much was shown. */
const showAndKill = async (running: ServerProcess, token: string, units: number): Promise<SseEvent[]> => {
  const seen: SseEvent[] = [];
  const read = async (): Promise<void> => {
    for await (const event of readEvents(await send(running.url, token, MODEL))) {
      seen.push(event);
      if (textOf(seen).length >= units) void running.end('SIGKILL');
    }
  };
  await expect(read()).rejects.toThrow();
  return seen;
};

/** What a client that holds `offset` units is told after the restart. */
const resume = async (url: string, token: string, place: { messageId: string; offset: number }) => {
  const path = `/api/chat/messages/${place.messageId}/stream?offset=${String(place.offset)}`;
  const response = await fetch(`${url}${path}`, { headers: { Authorization: `Bearer ${token}` } });
  const events: SseEvent[] = [];
  for await (const event of readEvents(response)) events.push(event);
  return events;
};

const readMessage = (url: string, token: string, messageId: unknown) =>
  call(`${url}/api/chat/messages/${String(messageId)}`, { headers: { Authorization: `Bearer ${token}` } });

// What `tick` promises is what process.test.ts and the fault tests hold it to.
describe.each(['second', 'end'])('REPLY_LOG=%s', (mode) => {
  test('a reply is stored as it was shown; at the death of the process clients are told how much is left', async () => {
    const env = newEnv(mode);
    const first = await start(env);
    const token = await signUp(first.url);
    const whole: SseEvent[] = [];
    for await (const event of readEvents(await send(first.url, token, SHORT_MODEL))) whole.push(event);
    expect(whole.at(-1)?.event).toBe('end');
    const complete = await readMessage(first.url, token, whole[0]?.data.messageId);
    expect(complete.body).toMatchObject({ status: 'complete', content: textOf(whole) });

    const seen = await showAndKill(first, token, 1600);
    const held = textOf(seen);
    const second = await start(env);
    const { messageId } = seen[0]?.data as { messageId: string };
    const events = await resume(second.url, token, { messageId, offset: held.length });
    const content = String((await readMessage(second.url, token, messageId)).body.content);
    expect(events.at(-1)).toMatchObject({ event: 'failed', data: { status: 'interrupted', length: content.length } });
    expect(`${held}${textOfRest(events)}`.startsWith(content)).toBe(true);
    const resets = events.filter(({ event }) => event === 'reset').map(({ data }) => data.length as number);
    expect(resets).toEqual(content.length < held.length ? [content.length] : []);
    expect(content.length > 0).toBe(mode === 'second');
  });
});

/** The deltas alone, wherever they begin. */
const textOfRest = (events: readonly SseEvent[]): string =>
  events.map(({ event, data }) => (event === 'delta' ? String(data.text) : '')).join('');
