import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LlmRequest } from '../../src/services/llm/provider.ts';
import { createOpenRouterProvider } from '../../src/services/llm/openrouter.provider.ts';
import { collect, startBlackHole, TIMEOUTS, withBareEndpoint } from '../support/llmEndpoint.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

const CONTENT = 'a question of forty characters, or so it is';
const event = (body: object): string => `data: ${JSON.stringify(body)}\n\n`;
const HEAD = { 'Content-Type': 'text/event-stream' };
const HELLO = event({ choices: [{ delta: { content: 'hello' } }] });

/** A call, and what was told of its course. */
const watched = () => {
  const course: string[] = [];
  const request: LlmRequest = {
    model: 'm',
    messages: [{ role: 'user', content: CONTENT }],
    temperature: null,
    maxTokens: null,
    course: { sent: () => void course.push('sent'), answered: () => void course.push('answered') },
  };
  return { course, request };
};
const told = (course: readonly string[]): string => [...new Set(course)].join(', ');

describe('of a call to an endpoint is known whether it went out and was answered:', () => {
  const never = new AbortController().signal;

  test.each<[string, (req: IncomingMessage, res: ServerResponse) => unknown, string]>([
    ['a whole answer', (_req, res) => res.writeHead(200, HEAD).end(`${HELLO}data: [DONE]\n\n`), 'sent, answered'],
    ['a refusal', (_req, res) => res.writeHead(500).end('{}'), 'sent, answered'],
    [
      'an error in the stream',
      (_req, res) => res.writeHead(200, HEAD).end(event({ error: { code: 502 } })),
      'sent, answered',
    ],
    ['a page', (_req, res) => res.writeHead(200, { 'Content-Type': 'text/html' }).end('<p>hello'), 'sent, answered'],
    ['a stream that ends without a word', (_req, res) => res.writeHead(200, HEAD).end(), 'sent, answered'],
    ['a reset instead of an answer', (req) => req.socket.resetAndDestroy(), 'sent'],
    [
      'a cut after its headers',
      (req, res) => res.writeHead(200, HEAD).write(':\n\n', () => req.socket.destroy()),
      'sent',
    ],
    [
      'a cut after its first word',
      (req, res) => res.writeHead(200, HEAD).write(HELLO, () => req.socket.destroy()),
      'sent',
    ],
  ])('%s', async (_name, handle, expected) => {
    await withBareEndpoint(handle, async (open) => {
      const { course, request } = watched();
      await collect(open().stream(request, never));
      expect(told(course)).toBe(expected);
    });
  });

  test('silence until a timeout, and over the same connection a refusal before it', async () => {
    let calls = 0;
    const refuseFirst = (_req: IncomingMessage, res: ServerResponse): void => {
      calls += 1;
      if (calls === 1) res.writeHead(500).end('{}');
    };
    await withBareEndpoint(refuseFirst, async (open) => {
      const provider = open({ timeouts: { headersMs: 300 } });
      await collect(provider.stream(watched().request, never));
      const { course, request } = watched();
      expect((await collect(provider.stream(request, never))).error).toMatchObject({ kind: 'timeout' });
      expect([calls, told(course)]).toEqual([2, 'sent']);
    });
  });

  test('one that is left while it waits for its headers went out', async () => {
    const leaving = new AbortController();
    await withBareEndpoint(
      () => leaving.abort(),
      async (open) => {
        const { course, request } = watched();
        await collect(open().stream(request, leaving.signal));
        expect(told(course)).toBe('sent');
      },
    );
  });

  const providerAt = (baseUrl: string, connectMs: number) =>
    createOpenRouterProvider({
      baseUrl,
      apiKey: 'a-key',
      publicUrl: null,
      clock: { now: () => 0 },
      timeouts: { ...TIMEOUTS, connectMs },
    });

  test('a refused connection, one that is never made, and one that is left before it is made, are neither', async () => {
    const hole = await startBlackHole();
    const refused = watched();
    const late = watched();
    const left = watched();
    const provider = providerAt('http://127.0.0.1:1/v1', 1000);
    const holed = providerAt(hole.httpsUrl, 100);
    expect((await collect(provider.stream(refused.request, never))).error).toMatchObject({ kind: 'network' });
    expect((await collect(holed.stream(late.request, never))).error).toMatchObject({ kind: 'timeout' });
    const leaving = new AbortController();
    const reading = collect(holed.stream(left.request, leaving.signal));
    leaving.abort();
    await reading;
    expect([refused.course, late.course, left.course]).toEqual([[], [], []]);
    provider.close();
    holed.close();
    await hole.close();
  });
});

describe('the books of a call that was cut before anything is known', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ models: ['sim/stall-headers', 'sim/stall-first-token', 'sim/words:20'] });
  });
  afterAll(() => world.stop());

  const attemptsOf = async (user: TestUser) => (await user.call('GET', '/api/usage/attempts')).body.items;

  /** A completion that is left as soon as the endpoint has it. */
  const leave = async (user: TestUser, model: string, stream: boolean): Promise<void> => {
    const leaving = new AbortController();
    const arrived = world.upstream.nextAttempt();
    const answer = fetch(`${user.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${user.accessToken}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ model, stream, messages: [{ role: 'user', content: CONTENT }] }),
      signal: leaving.signal,
    });
    await arrived;
    leaving.abort();
    await expect(answer).rejects.toThrow(/abort/);
  };

  const guess = { promptTokens: 11, completionTokens: 0, totalTokens: 11, estimated: true };

  test.each([
    ['in one piece', false],
    ['streamed', true],
  ])('a completion %s has its prompt in them, as a guess', async (_name, stream) => {
    const user = await world.signUp();
    await leave(user, 'sim/stall-headers', stream);
    const [row] = await waitFor(async () => (await attemptsOf(user)).length === 1 && attemptsOf(user));
    expect(row).toMatchObject({ outcome: 'cancelled', generationId: null, usage: guess });
    expect((await user.call('GET', '/api/usage')).body.totals).toMatchObject({ estimated: 1, totalTokens: 11 });
  });

  test('a message that is stopped has its window in them, as a guess', async () => {
    const user = await world.signUp();
    const socket = await user.connect();
    const arrived = world.upstream.nextAttempt();
    const { messageId } = await socket.emitWithAck('chat:send', { content: CONTENT, model: 'sim/stall-headers' });
    await arrived;
    await socket.emitWithAck('chat:stop', { messageId });
    const [row] = await waitFor(async () => (await attemptsOf(user)).length === 1 && attemptsOf(user));
    expect(row).toMatchObject({ messageId, outcome: 'cancelled', usage: { completionTokens: 0, estimated: true } });
    expect(row.usage.promptTokens).toBeGreaterThanOrEqual(11);
  });

  test('one whose headers came is looked up, and is what the endpoint says', async () => {
    const user = await world.signUp();
    const socket = await user.connect();
    const arrived = world.upstream.nextAttempt();
    const { messageId } = await socket.emitWithAck('chat:send', { content: CONTENT, model: 'sim/stall-first-token' });
    const { generationId } = await arrived;
    await waitFor(() => world.upstream.log.find((call) => call.generationId === generationId)?.status === 200);
    // Its headers are on the way: the answer to a call that was made later says that they are here.
    await user.call('POST', '/api/chat/message', { content: 'in between', model: 'sim/words:20' });
    await socket.emitWithAck('chat:stop', { messageId });
    const row = await waitFor(async () =>
      (await attemptsOf(user)).find((item: { messageId: string }) => item.messageId === messageId),
    );
    expect(row).toMatchObject({ generationId, usage: { totalTokens: 0, estimated: false } });
  });
});
