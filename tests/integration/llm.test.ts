import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { systemClock } from '../../src/lib/clock.ts';
import { createOpenRouterProvider } from '../../src/services/llm/openrouter.provider.ts';
import type { LlmPart, LlmProvider, LlmRequest } from '../../src/services/llm/provider.ts';
import { createSimulator } from '../../src/services/llm/simulator/index.ts';
import { newcomerText, UNICODE_TEXT } from '../../src/services/llm/simulator/text.ts';
import {
  collect,
  startBlackHole,
  startLlmEndpoint,
  TIMEOUTS,
  withBareEndpoint,
  type Collected,
  type LlmEndpoint,
} from '../support/llmEndpoint.ts';

let endpoint: LlmEndpoint;
beforeAll(async () => {
  endpoint = await startLlmEndpoint();
});
afterAll(() => endpoint.close());

const messages = [{ role: 'user', content: 'héllo 👩‍👧' }] as const;
const never = new AbortController().signal;
const request = (mode: string): LlmRequest => ({ model: `sim/${mode}`, messages, temperature: 0.5, maxTokens: 1024 });
const ask = (provider: LlmProvider, mode: string, signal: AbortSignal = never): Promise<Collected<LlmPart>> =>
  collect(provider.stream(request(mode), signal));
const words = (count: number): string =>
  Array.from({ length: count }, (_, index) => `word${String(index + 1)}`).join(' ');
const last = <T>(list: readonly T[]): T => list.at(-1)!;

describe('an answer', () => {
  test.each<[string, string]>([
    ['ok', newcomerText(messages)],
    ['echo', 'héllo 👩‍👧'],
    ['words:3', words(3)],
    ['slow:1', newcomerText(messages)],
    ['crlf', UNICODE_TEXT],
    ['utf8-split', UNICODE_TEXT],
    ['comments', 'word1 word2'],
    ['malformed:1', 'word1 word2'],
    ['malformed:3', 'word1 word2'],
    ['no-done', words(8)],
    ['done-then-open-socket', words(8)],
    ['done-then-late-end:30', words(8)],
    ['finish-then-open-socket', words(8)],
  ])('of mode %s arrives whole, with its books, and the finish last', async (mode, text) => {
    const answer = await ask(endpoint.provider(), mode);
    expect(answer).toMatchObject({ text, error: null });
    expect(answer.parts.slice(-2)).toMatchObject([
      { type: 'usage', usage: { promptTokens: 3, costMicroUsd: expect.any(Number) } },
      { type: 'finish', reason: 'stop' },
    ]);
  });

  test('its cost is in millionths of a dollar', async () => {
    const { parts } = await ask(endpoint.provider(), 'words:3');
    expect(parts.at(-2)).toEqual({
      type: 'usage',
      usage: {
        promptTokens: 3,
        completionTokens: 5,
        totalTokens: 8,
        reasoningTokens: 0,
        cachedTokens: 0,
        costMicroUsd: 16,
      },
    });
  });

  test('without books is an answer too', async () => {
    const { parts, error } = await ask(endpoint.provider(), 'usage-missing');
    expect(error).toBeNull();
    expect(parts.map(({ type }) => type).filter((type) => type !== 'delta')).toEqual(['origin', 'finish']);
  });

  test('of a model that thinks has its reasoning apart from its text', async () => {
    const { parts, text } = await ask(endpoint.provider(), 'reasoning');
    expect(parts[1]).toEqual({ type: 'reasoning', text: 'Let me think.' });
    expect(text).toBe(words(8));
    expect(parts.at(-2)).toMatchObject({ usage: { reasoningTokens: 4 } });
  });

  test.each([
    ['length', 'length'],
    ['content-filter', 'content_filter'],
  ])('of mode %s finishes with %s', async (mode, reason) => {
    expect(last((await ask(endpoint.provider(), mode)).parts)).toEqual({ type: 'finish', reason });
  });

  test('names its call and who answered, once and before the first token', async () => {
    const { parts } = await ask(endpoint.provider(), 'words:20');
    const origins = parts.filter(({ type }) => type === 'origin');
    expect(origins).toEqual([
      { type: 'origin', generationId: expect.stringMatching(/^gen-/), provider: 'Parley simulator' },
    ]);
    expect(parts[0]).toBe(origins[0]);
  });

  test('that comes in one network read is few parts', async () => {
    const { parts, text } = await ask(endpoint.provider(), 'words:200');
    expect(text).toBe(words(200));
    expect(parts.length).toBeLessThan(100);
  });

  test('that is not streamed is an answer too', async () => {
    const body = {
      choices: [{ message: { content: 'Hi' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 1 },
    };
    const respond = (_req: IncomingMessage, res: ServerResponse): void => {
      res.writeHead(200, { 'Content-Type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));
    };
    await withBareEndpoint(respond, async (open) => {
      expect(await ask(open(), 'x')).toMatchObject({ text: 'Hi', error: null, parts: [{}, { type: 'usage' }, {}] });
    });
  });
});

describe('a failure', () => {
  test.each<[string, string, string]>([
    ['500', 'unavailable', ''],
    ['503', 'unavailable', ''],
    ['429', 'rate_limited', ''],
    ['400', 'rejected', ''],
    ['403', 'rejected', ''],
    ['400-context', 'context_too_long', ''],
    ['401', 'account', ''],
    ['402', 'account', ''],
    ['404', 'not_found', ''],
    ['nonsense', 'not_found', ''],
    ['502-html', 'unavailable', ''],
    ['html', 'invalid', ''],
    ['200-json-error', 'unavailable', ''],
    ['blank-200', 'invalid', ''],
    ['malformed-first', 'invalid', ''],
    ['malformed:4', 'invalid', 'word1'],
    ['cut-after:2', 'invalid', 'word1 word2'],
    ['reset-before-headers', 'network', ''],
    ['reset-after:2', 'network', 'word1 word2'],
    ['err-first-event', 'unavailable', ''],
    ['err-mid:2', 'unavailable', 'word1 word2'],
    ['err-choice-only:2', 'unavailable', 'word1 word2'],
    ['event-error:2', 'unavailable', 'word1 word2'],
  ])('of mode %s is %s, after the text that came', async (mode, kind, text) => {
    const answer = await ask(endpoint.provider(), mode);
    expect(answer.error).toMatchObject({ name: 'ProviderError', kind });
    expect(answer.text).toBe(text);
    expect(answer.parts.some(({ type }) => type === 'finish')).toBe(false);
  });

  test('says how long to wait', async () => {
    expect((await ask(endpoint.provider(), '429:2')).error).toMatchObject({ retryAfterMs: 2000 });
  });

  test('of an endpoint that is not there is a network failure', async () => {
    const gone = await createSimulator({ tokenDelayMs: 0 });
    await gone.close();
    const options = {
      baseUrl: gone.baseUrl,
      apiKey: gone.apiKey,
      publicUrl: null,
      clock: systemClock,
      timeouts: TIMEOUTS,
    };
    expect((await ask(createOpenRouterProvider(options), 'ok')).error).toMatchObject({ kind: 'network' });
  });
});

/** Keeps sending blanks, after one word when the model is `sim/word`. */
const blankTokens = (req: IncomingMessage, res: ServerResponse): void => {
  let body = '';
  req.on('data', (bytes: Buffer) => (body += bytes.toString()));
  res.writeHead(200, { 'Content-Type': 'text/event-stream' });
  const send = (content: string): boolean =>
    res.write(`data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`);
  req.on('end', () => {
    if (body.includes('sim/word')) send('word');
  });
  const timer = setInterval(() => send(' \n'), 10);
  res.on('close', () => clearInterval(timer));
};

describe('the watchdogs', () => {
  test.each<[string, object, string]>([
    ['stall-headers', { headersMs: 60 }, 'no headers after 60 ms'],
    ['stall-first-token', { firstTokenMs: 60 }, 'no first token after 60 ms'],
    ['comments-only', { firstTokenMs: 60 }, 'no first token after 60 ms'],
    ['stall-mid:1', { idleMs: 60 }, 'no further token after 60 ms'],
    ['comments-mid:1', { idleMs: 60 }, 'no further token after 60 ms'],
    ['slow:20', { totalMs: 60 }, 'no end after 60 ms'],
  ])('mode %s with %j ends in a timeout, and the upstream is let go', async (mode, timeouts, why) => {
    const answer = await ask(endpoint.provider(timeouts), mode);
    expect(answer.error).toMatchObject({ kind: 'timeout', retryable: true, cause: { message: why } });
    const attempt = last(endpoint.simulator.log);
    await attempt.settled;
    expect(attempt.abortedAt).not.toBeNull();
  });

  test('a connection that is not made in time is a timeout, told apart from missing headers', async () => {
    const blackHole = await startBlackHole();
    try {
      const options = {
        apiKey: 'a-key',
        publicUrl: null,
        clock: systemClock,
        timeouts: { ...TIMEOUTS, connectMs: 60 },
      };
      const provider = createOpenRouterProvider({ ...options, baseUrl: blackHole.httpsUrl });
      expect((await ask(provider, 'ok')).error).toMatchObject({
        kind: 'timeout',
        retryable: true,
        cause: { message: 'no connection after 60 ms' },
      });
      provider.close();
    } finally {
      await blackHole.close();
    }
  });

  test('blank text is no token: neither the first nor a further one', async () => {
    await withBareEndpoint(blankTokens, async (open) => {
      const provider = open({ timeouts: { firstTokenMs: 100, idleMs: 100 } });
      expect((await ask(provider, 'blank')).error).toMatchObject({ cause: { message: 'no first token after 100 ms' } });
      const answer = await ask(provider, 'word');
      expect(answer.error).toMatchObject({ cause: { message: 'no further token after 100 ms' } });
      expect(answer.text.trim()).toBe('word');
    });
  });

  test('one call may wait for its first token as long as for the whole answer, or shorter than others', async () => {
    const provider = endpoint.provider({ firstTokenMs: 50, totalMs: 200 });
    const stream = (firstTokenMs: number | null) =>
      collect(provider.stream(request('comments-only'), never, { firstTokenMs }));
    expect((await stream(null)).error).toMatchObject({ cause: { message: 'no end after 200 ms' } });
    expect((await stream(20)).error).toMatchObject({ cause: { message: 'no first token after 20 ms' } });
  });

  test('a long answer of quick tokens meets no watchdog but the total', async () => {
    const answer = await ask(endpoint.provider({ headersMs: 500, firstTokenMs: 500, idleMs: 500 }), 'slow:5');
    expect(answer.error).toBeNull();
  });
});

describe('an abort', () => {
  const reason = new Error('the client left');

  test.each(['stall-headers', 'stall-first-token', 'comments-only'])(
    'during %s throws its reason and closes the upstream',
    async (mode) => {
      const controller = new AbortController();
      const arrived = endpoint.simulator.nextAttempt();
      const answer = ask(endpoint.provider(), mode, controller.signal);
      const attempt = await arrived;
      controller.abort(reason);
      const abortedAt = Date.now();
      expect((await answer).error).toBe(reason);
      await attempt.settled;
      expect(attempt.abortedAt! - abortedAt).toBeLessThan(500);
    },
  );

  test('between tokens keeps what came, throws its reason and closes the upstream', async () => {
    const controller = new AbortController();
    const answer = await collect(endpoint.provider().stream(request('stall-mid:2'), controller.signal), ({ type }) => {
      if (type === 'delta') controller.abort(reason);
    });
    expect(answer.error).toBe(reason);
    expect(answer.text).toMatch(/^word1/);
    await last(endpoint.simulator.log).settled;
    expect(last(endpoint.simulator.log).abortedAt).not.toBeNull();
  });

  test('before the start asks nobody', async () => {
    const before = endpoint.simulator.log.length;
    expect((await ask(endpoint.provider(), 'ok', AbortSignal.abort(reason))).error).toBe(reason);
    expect(endpoint.simulator.log).toHaveLength(before);
  });

  test('is what leaving the loop does to the upstream', async () => {
    for await (const part of endpoint.provider().stream(request('stall-mid:2'), never)) {
      if (part.type === 'delta') break;
    }
    await last(endpoint.simulator.log).settled;
    expect(last(endpoint.simulator.log).abortedAt).not.toBeNull();
  });
});

describe('the request', () => {
  test('carries the model, the messages and the limits', async () => {
    await ask(endpoint.provider(), 'words:1');
    expect(last(endpoint.simulator.log)).toMatchObject({
      model: 'sim/words:1',
      messages,
      maxTokens: 1024,
      mode: 'words:1',
      abortedAt: null,
    });
  });

  test('of OpenAI’s own shape passes on unread, and never takes the place of what is ours', async () => {
    const bodies: Record<string, unknown>[] = [];
    const respond = (req: IncomingMessage, res: ServerResponse): void => {
      void json(req).then((body) => bodies.push(body as Record<string, unknown>) && res.writeHead(503).end());
    };
    const raw = [
      { role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } }] },
      { role: 'assistant', content: null, tool_calls: [{ id: 'c', type: 'function', function: { name: 'f' } }] },
      { role: 'tool', tool_call_id: 'c', content: '{}' },
    ] as const;
    const extra = {
      seed: 7,
      stream: false,
      model: 'other',
      messages: [],
      temperature: 2,
      max_tokens: 9,
      stream_options: {},
    };
    await withBareEndpoint(respond, async (open) => {
      const asked = { model: 'm', messages: raw, temperature: null, maxTokens: null, extra, sessionId: 'chat-1' };
      await collect(open().stream(asked, never));
    });
    expect(bodies).toEqual([
      { seed: 7, model: 'm', messages: raw, stream: true, stream_options: { include_usage: true } },
    ]);
  });

  test('uses a connection again', async () => {
    const provider = endpoint.provider();
    for (const mode of ['words:1', 'ok', '500', 'echo']) await ask(provider, mode);
    expect(new Set(endpoint.simulator.log.slice(-4).map(({ clientPort }) => clientPort)).size).toBe(1);
  });

  test('leaves a connection whose answer ends late to be used again', async () => {
    await ask(endpoint.provider(), 'done-then-late-end:50');
    await last(endpoint.simulator.log).settled;
    expect(last(endpoint.simulator.log).abortedAt).toBeNull();
  });

  test('tells an endpoint that is not OpenRouter nothing about the server, and wants no compression', async () => {
    const seen: Record<string, unknown>[] = [];
    const respond = (req: IncomingMessage, res: ServerResponse): void => {
      seen.push(req.headers);
      res.writeHead(503).end();
    };
    await withBareEndpoint(respond, async (open) => {
      for (const apiKey of ['key-1', null]) await ask(open({ apiKey, publicUrl: 'https://chat.example.com' }), 'x');
    });
    expect(seen[0]).toMatchObject({
      authorization: 'Bearer key-1',
      'accept-encoding': 'identity',
      'user-agent': 'Parley',
    });
    expect(seen[1]).not.toHaveProperty('authorization');
    expect(Object.keys(seen[0]!).filter((name) => /^x-|referer/.test(name))).toEqual([]);
  });

  test('does not follow a redirect with its key', async () => {
    const paths: (string | undefined)[] = [];
    const respond = (req: IncomingMessage, res: ServerResponse): void => {
      paths.push(req.url);
      res.writeHead(307, { Location: '/elsewhere' }).end();
    };
    await withBareEndpoint(respond, async (open) => {
      expect((await ask(open(), 'x')).error).toMatchObject({ kind: 'not_found' });
    });
    expect(paths).toEqual(['/v1/chat/completions']);
  });

  test('an endpoint that repeats the key in its error does not get it into ours', async () => {
    const apiKey = 'a-key-of-no-known-shape';
    const respond = (req: IncomingMessage, res: ServerResponse): void => {
      const authorization = String(req.headers.authorization);
      res.writeHead(req.method === 'GET' ? 500 : 401, { 'Content-Type': 'application/json', 'X-Key': authorization });
      res.end(JSON.stringify({ error: { message: `Incorrect key: ${authorization}`, code: 401 } }));
    };
    await withBareEndpoint(respond, async (open) => {
      const { error } = await ask(open({ apiKey }), 'x');
      const listing: unknown = await open({ apiKey })
        .listModels(never)
        .catch((thrown: unknown) => thrown);
      for (const thrown of [error, listing]) {
        const cause = { message: expect.stringContaining('Incorrect key: Bearer ***') };
        expect(thrown).toMatchObject({ name: 'ProviderError', cause });
        expect(inspect(thrown, { depth: 9, showHidden: true })).not.toContain(apiKey);
      }
    });
  });
});
