import { describe, expect, test } from '@jest/globals';
import http from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import type { ChatCompletionChunk } from 'openai/resources/chat/completions';
import { asking, openAiClient, rejectionOf } from '../support/openai.ts';
import { waitFor } from '../support/waitFor.ts';
import { startWorld, type TestUser, type World, type WorldOptions } from '../support/world.ts';

const within = async (options: WorldOptions, run: (world: World, user: TestUser) => Promise<void>): Promise<void> => {
  const world = await startWorld(options);
  try {
    await run(world, await world.signUp());
  } finally {
    await world.stop();
  }
};

const textOf = async (stream: AsyncIterable<ChatCompletionChunk>): Promise<string> => {
  let text = '';
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
  return text;
};

describe('a client that goes away', () => {
  test.each([
    ['while it is streamed to', 'sim/stall-mid:2', true],
    ['while tokens flow', 'sim/slow:5', true],
    ['before the first token of a stream', 'sim/stall-first-token', true],
    ['before the headers of a stream', 'sim/stall-headers', true],
    ['while a plain answer is made', 'sim/stall-mid:2', false],
    ['before a plain answer began', 'sim/stall-headers', false],
  ])('%s: the model is let go at once, asked once, and blamed for nothing', async (_when, model, stream) => {
    await within({ models: [model, 'sim/echo'] }, async (world, user) => {
      const controller = new AbortController();
      const arrived = world.upstream.nextAttempt();
      const answer = openAiClient(user).chat.completions.create(
        { ...asking(model), stream },
        { signal: controller.signal },
      );
      const read = async (): Promise<void> => {
        const got = await answer;
        if (Symbol.asyncIterator in got) for await (const chunk of got) if (chunk.choices[0]?.delta.content) leave();
      };
      let leftAt = 0;
      const leave = (): void => {
        leftAt ||= Date.now();
        controller.abort();
      };
      const ended = read().catch(() => undefined);
      const attempt = await arrived;
      const isShown = stream && /mid|slow:/.test(model);
      if (!isShown) {
        if (model.includes('mid')) await waitFor(() => attempt.firstTokenAt);
        leave();
      }
      await ended;
      await attempt.settled;
      expect(attempt.abortedAt).not.toBeNull();
      // Some milliseconds (`npm run faults:llm` prints them), and what a busy machine adds; its own time limits let go later.
      expect(attempt.abortedAt! - leftAt).toBeLessThan(5_000);
      expect(world.upstream.log).toHaveLength(1);
      const models = await user.call('GET', '/api/models');
      expect(models.body.items.map(({ failures }: { failures: number }) => failures)).toEqual([0, 0]);
    });
  });

  test('together with its login: a logout ends the stream and the model’s work', async () => {
    await within({ models: ['sim/stall-mid:2'] }, async (world, user) => {
      const stream = await openAiClient(user).chat.completions.create({ ...asking('auto'), stream: true });
      const ended = rejectionOf(textOf(stream));
      expect((await user.call('POST', '/api/auth/logout')).status).toBe(204);
      expect(await ended).toBeDefined();
      await world.upstream.log[0]!.settled;
      expect(world.upstream.log[0]!.abortedAt).not.toBeNull();
    });
  });
});

describe('a client that does not read', () => {
  /** Sends as fast as it is read, without an end; each character is six bytes on every wire. */
  const startFlood = async () => {
    const course = { sent: 0, isGone: false };
    const content = JSON.stringify({ choices: [{ delta: { content: `x${'\u0001'.repeat(8191)}` } }] });
    const frame = Buffer.from(`data: ${content}\n\n`);
    const server = http.createServer((req, res) => {
      req.resume();
      if (req.method === 'GET') {
        res.writeHead(404).end();
        return;
      }
      res.on('close', () => (course.isGone = true));
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      const pump = (): void => {
        if (res.destroyed) return;
        course.sent += frame.length;
        if (res.write(frame)) setImmediate(pump);
        else res.once('drain', pump);
      };
      pump();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const close = (): Promise<void> =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      });
    return { course, baseUrl: `http://127.0.0.1:${String(port)}/v1`, close };
  };

  test('slows the model down instead of filling the memory, and lets it go when it leaves', async () => {
    const flood = await startFlood();
    try {
      await within({ env: { OPENROUTER_BASE_URL: flood.baseUrl } }, async (world, user) => {
        const { hostname, port } = new URL(world.url);
        const body = JSON.stringify({ ...asking('auto'), stream: true });
        const socket = connect(Number(port), hostname).pause();
        socket.on('error', () => undefined);
        socket.write(
          `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${user.accessToken}\r\n` +
            `Content-Type: application/json\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`,
        );
        let before = -1;
        let calm = 0;
        await waitFor(() => {
          calm = flood.course.sent > 0 && flood.course.sent === before ? calm + 1 : 0;
          before = flood.course.sent;
          return calm > 20;
        });
        // Two connections' buffers in the kernel, and 256 KiB here; an answer may have four million characters.
        expect(flood.course.sent).toBeLessThan(16 * 1024 * 1024);
        expect(flood.course.isGone).toBe(false);
        socket.destroy();
        await waitFor(() => flood.course.isGone);
      });
    } finally {
      await flood.close();
    }
  });
});

describe('what a client may have at once', () => {
  test('is one number of streams for all doors', async () => {
    await within({ models: ['sim/stall-mid:1'], env: { MAX_CONNECTIONS_PER_USER: '1' } }, async (_world, user) => {
      const client = openAiClient(user);
      const controller = new AbortController();
      const body = { ...asking('auto'), stream: true } as const;
      const first = await client.chat.completions.create(body, { signal: controller.signal });
      await first[Symbol.asyncIterator]().next();
      const error = await rejectionOf(client.chat.completions.create(body));
      expect(error).toMatchObject({ status: 429, code: 'rate_limit_exceeded', type: 'rate_limit_error' });
      controller.abort();
    });
  });

  test('is one rate of sends for all doors, which the official client waits for', async () => {
    const env = { RATE_LIMIT_CHAT_PER_SECOND: '1' };
    await within({ models: ['sim/echo'], env }, async (_world, user) => {
      await user.call('POST', '/api/chat/message', { content: 'Hi', stream: false });
      const ask = () => user.call('POST', '/v1/chat/completions', asking('auto'));
      const answers = await Promise.all([ask(), ask(), ask(), ask(), ask()]);
      const refused = answers.find(({ status }) => status === 429)!;
      expect(refused.body.error).toMatchObject({ type: 'rate_limit_error', code: 'rate_limit_exceeded' });
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(refused.headers.get('ratelimit')).toContain('"chat"');
      const { choices } = await openAiClient(user, 3).chat.completions.create(asking('auto', 'patience'));
      expect(choices[0]!.message.content).toBe('patience');
    });
  });

  test('is bounded by the quota of answers, free again when one ends', async () => {
    const env = { QUOTA_CONCURRENT_REPLIES: '1' };
    await within({ models: ['sim/stall-mid:1', 'sim/echo'], env }, async (world, user) => {
      const client = openAiClient(user);
      const controller = new AbortController();
      const { signal } = controller;
      const first = await client.chat.completions.create({ ...asking('sim/stall-mid:1'), stream: true }, { signal });
      await first[Symbol.asyncIterator]().next();
      const error = await rejectionOf(client.chat.completions.create(asking('sim/echo')));
      expect(error).toMatchObject({ status: 429, code: 'insufficient_quota', type: 'insufficient_quota' });
      controller.abort();
      await world.upstream.log[0]!.settled;
      const answer = await waitFor(() => client.chat.completions.create(asking('sim/echo', 'again')));
      expect(answer.choices[0]!.message.content).toBe('again');
    });
  });
});

describe('what stays of a completion', () => {
  test('is what it used, and nothing that was said', async () => {
    await within({ models: ['sim/echo'] }, async (world, user) => {
      const client = openAiClient(user);
      await client.chat.completions.create(asking('auto', 'a secret of mine'));
      await textOf(await client.chat.completions.create({ ...asking('auto', 'a secret of mine'), stream: true }));
      const { body: usage } = await user.call('GET', '/api/usage');
      const billed = world.upstream.log.map(({ bill }) => bill!);
      expect(usage.totals).toMatchObject({
        promptTokens: billed.reduce((sum, { promptTokens }) => sum + promptTokens, 0),
        completionTokens: billed.reduce((sum, { completionTokens }) => sum + completionTokens, 0),
      });
      expect((await user.call('GET', '/api/chat/sessions')).body.items).toEqual([]);
      expect(world.logText()).not.toContain('secret of mine');
    });
  });
});

describe('a server that stops', () => {
  test('finishes the completions that run, and refuses new ones', async () => {
    const world = await startWorld({ models: ['sim/slow:20'] });
    const user = await world.signUp();
    const client = openAiClient(user);
    const streamed = await client.chat.completions.create({ ...asking('auto'), stream: true });
    const iterator = streamed[Symbol.asyncIterator]();
    await iterator.next();
    const plain = client.chat.completions.create(asking('auto'));
    await waitFor(() => world.upstream.log.length === 2);
    const stopping = world.stop();
    const refused = await client.chat.completions.create(asking('auto')).catch((error: unknown) => error);
    // Either the door is still open and says so, or it is closed.
    expect([503, undefined]).toContain((refused as { status?: number }).status);
    let reason: string | null = null;
    for (let next = await iterator.next(); !next.done; next = await iterator.next())
      reason = next.value.choices[0]?.finish_reason ?? reason;
    expect(reason).toBe('stop');
    expect((await plain).choices[0]!.finish_reason).toBe('stop');
    await stopping;
  });
});
