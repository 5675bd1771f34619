import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import type { LlmPart, LlmRequest, ReadPace } from '../../src/services/llm/provider.ts';
import { startLlmEndpoint, withBareEndpoint, type LlmEndpoint } from '../support/llmEndpoint.ts';
import { textOf } from '../support/sse.ts';
import { startWorld } from '../support/world.ts';

let endpoint: LlmEndpoint;
beforeAll(async () => {
  endpoint = await startLlmEndpoint();
});
afterAll(() => endpoint.close());

const never = new AbortController().signal;
const request = (mode: string, pace?: ReadPace): LlmRequest => ({
  model: `sim/${mode}`,
  messages: [{ role: 'user', content: 'x' }],
  temperature: null,
  maxTokens: null,
  ...(pace === undefined ? {} : { pace }),
});
const textIn = (parts: readonly LlmPart[]): string =>
  parts.map((part) => (part.type === 'delta' ? part.text : '')).join('');
const chunk = (content: string): string => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;

test('an answer that is held is left unread until it is resumed', async () => {
  const answers: ServerResponse[] = [];
  const handle = (_req: unknown, res: ServerResponse): void => {
    answers.push(res);
    res.writeHead(200, { 'Content-Type': 'text/event-stream' });
    res.write(chunk('first'));
  };
  await withBareEndpoint(handle, async (open) => {
    const provider = open();
    const resumes: (() => void)[] = [];
    const pace: ReadPace = { hold: (resume) => resumes.push(resume) > 0 };
    const held = provider.stream(request('x', pace), never)[Symbol.asyncIterator]();
    expect((await held.next()).value).toMatchObject({ type: 'delta', text: 'first' });
    let isRead = false;
    const next = held.next().then((result) => {
      isRead = true;
      return result;
    });
    await new Promise((resolve) => answers[0]!.write(chunk('second'), resolve));
    // Another answer is asked for and read meanwhile: there was time enough for this one too.
    const other = provider.stream(request('x'), never)[Symbol.asyncIterator]();
    expect((await other.next()).value).toMatchObject({ type: 'delta', text: 'first' });
    expect({ isRead, holds: resumes.length }).toEqual({ isRead: false, holds: 1 });
    resumes[0]!();
    expect((await next).value).toMatchObject({ type: 'delta', text: 'second' });
    expect(resumes).toHaveLength(2);
  });
});

test('a connection whose answers were held at every read is used again', async () => {
  const provider = endpoint.provider();
  const pace: ReadPace = {
    hold: (resume) => {
      setImmediate(resume);
      return true;
    },
  };
  for (let count = 0; count < 5; count += 1) {
    const parts: LlmPart[] = [];
    for await (const part of provider.stream(request('words:40', pace), never)) parts.push(part);
    expect(textIn(parts)).toMatch(/^word1 .* word40$/);
    expect(parts.at(-1)).toEqual({ type: 'finish', reason: 'stop' });
  }
  expect(new Set(endpoint.simulator.log.slice(-5).map(({ clientPort }) => clientPort)).size).toBe(1);
});

test('an answer that is never resumed is closed upstream when it is aborted', async () => {
  const controller = new AbortController();
  const provider = endpoint.provider();
  const stream = provider.stream(request('stall-mid:3', { hold: () => true }), controller.signal);
  const read = async (): Promise<void> => {
    for await (const part of stream) if (part.type === 'delta') controller.abort(new Error('enough'));
  };
  await expect(read()).rejects.toThrow('enough');
  const attempt = endpoint.simulator.log.at(-1)!;
  await attempt.settled;
  expect(attempt.abortedAt).not.toBeNull();
});

test('sixty replies at once are told without a gap, as they are stored', async () => {
  const world = await startWorld({ models: ['sim/words:120'], tokenDelayMs: 3 });
  try {
    const users = await Promise.all([world.signUp(), world.signUp()]);
    const replies = await Promise.all(
      Array.from({ length: 60 }, async (_reply, count) => {
        const user = users[count % 2]!;
        return { user, events: await user.stream('/api/chat/message', { content: 'x' }) };
      }),
    );
    for (const { user, events } of replies) {
      const stored = await user.call('GET', `/api/chat/messages/${String(events[0]?.data.messageId)}`);
      expect(stored.body).toMatchObject({ status: 'complete', content: textOf(events) });
      expect(textOf(events)).toMatch(/^word1 .* word120$/);
    }
  } finally {
    await world.stop();
  }
}, 60_000);
