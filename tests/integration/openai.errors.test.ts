import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import OpenAI from 'openai';
import { asking, openAiClient, rejectionOf } from '../support/openai.ts';
import { startWorld, type Answer, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await startWorld({ models: ['sim/words:3', 'sim/echo'] });
  user = await world.signUp();
});
afterAll(() => world.stop());

interface Refused {
  readonly name: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer | object;
  readonly status: number;
  readonly code: string;
  readonly type?: string;
  readonly param?: string;
}

const send = async ({
  method = 'POST',
  path = '/v1/chat/completions',
  headers = {},
  body,
}: Partial<Refused>): Promise<Answer> => {
  const authorization = { Authorization: `Bearer ${user.accessToken}`, 'Content-Type': 'application/json' };
  const sent = typeof body === 'object' && !Buffer.isBuffer(body) ? JSON.stringify(body) : body;
  const response = await fetch(`${world.url}${path}`, {
    method,
    headers: { ...authorization, ...headers },
    ...(sent === undefined ? {} : { body: sent as string }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
};

const good = asking('sim/words:3');
const withMessage = (message: object) => ({ model: 'sim/echo', messages: [message] });
const anonymous = { Authorization: '' };

const REFUSED: readonly Refused[] = [
  { name: 'no credentials', headers: anonymous, body: good, status: 401, code: 'invalid_api_key' },
  {
    name: 'a wrong key',
    headers: { Authorization: 'Bearer sk-wrong' },
    body: good,
    status: 401,
    code: 'invalid_api_key',
  },
  {
    name: 'no credentials for the models',
    method: 'GET',
    path: '/v1/models',
    headers: anonymous,
    status: 401,
    code: 'invalid_api_key',
  },
  {
    name: 'an unknown model',
    body: asking('gpt-17'),
    status: 404,
    code: 'model_not_found',
    param: 'model',
  },
  {
    name: 'an unknown model to read',
    method: 'GET',
    path: '/v1/models/a/b',
    status: 404,
    code: 'model_not_found',
    param: 'model',
  },
  { name: 'an unknown address', method: 'GET', path: '/v1/assistants', status: 404, code: 'unknown_url' },
  {
    name: 'an address that cannot be decoded',
    method: 'GET',
    path: '/v1/models/%zz',
    status: 400,
    code: 'invalid_value',
  },
  { name: 'another method', method: 'GET', status: 405, code: 'method_not_supported' },
  { name: 'a body that is cut', body: '{"model":', status: 400, code: 'malformed_json' },
  { name: '__proto__ as a key', body: '{"model":"auto","__proto__":{"n":2}}', status: 400, code: 'malformed_json' },
  { name: 'no body', status: 400, code: 'invalid_value', param: 'model' },
  { name: 'a list', body: '[]', status: 400, code: 'invalid_value' },
  {
    name: 'a form',
    headers: { 'Content-Type': 'text/plain' },
    body: 'x',
    status: 415,
    code: 'unsupported_media_type',
  },
  { name: 'too large a body', body: Buffer.alloc(11 * 1024 * 1024, 32), status: 413, code: 'request_too_large' },
  { name: 'no model', body: { messages: good.messages }, status: 400, code: 'invalid_value', param: 'model' },
  { name: 'no messages', body: { model: 'auto' }, status: 400, code: 'invalid_value', param: 'messages' },
  {
    name: 'an empty conversation',
    body: { model: 'auto', messages: [] },
    status: 400,
    code: 'invalid_value',
    param: 'messages',
  },
  {
    name: 'an unknown role',
    body: withMessage({ role: 'robot', content: 'x' }),
    status: 400,
    code: 'invalid_value',
    param: 'messages[0].role',
  },
  {
    name: 'a message without content',
    body: withMessage({ role: 'user' }),
    status: 400,
    code: 'invalid_value',
    param: 'messages[0].content',
  },
  {
    name: 'content that is neither text nor parts',
    body: withMessage({ role: 'user', content: 7 }),
    status: 400,
    code: 'invalid_value',
    param: 'messages[0].content',
  },
  {
    name: 'a tool’s answer to nothing',
    body: withMessage({ role: 'tool', content: 'x' }),
    status: 400,
    code: 'invalid_value',
    param: 'messages[0].tool_call_id',
  },
  { name: 'two answers', body: { ...good, n: 2 }, status: 400, code: 'invalid_value', param: 'n' },
  { name: 'no tokens', body: { ...good, max_tokens: 0 }, status: 400, code: 'invalid_value', param: 'max_tokens' },
  { name: 'too hot', body: { ...good, temperature: 3 }, status: 400, code: 'invalid_value', param: 'temperature' },
];

describe('a refused request', () => {
  test.each(REFUSED)('$name is $status $code in OpenAI’s shape', async (refused) => {
    const { status, headers, body } = await send(refused);
    expect([status, body]).toEqual([
      refused.status,
      {
        error: {
          message: expect.stringMatching(/\S/),
          type: 'invalid_request_error',
          param: refused.param ?? null,
          code: refused.code,
        },
      },
    ]);
    expect(headers.get('content-type')).toMatch(/^application\/json/);
    expect(headers.get('x-request-id')).toBeTruthy();
  });

  test('names the methods that an address knows', async () => {
    expect((await send({ method: 'DELETE' })).headers.get('allow')).toBe('POST, OPTIONS');
    const options = await fetch(`${world.url}/v1/chat/completions`, { method: 'OPTIONS' });
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'POST, OPTIONS']);
  });

  test('reaches no model', () => {
    expect(world.upstream.log).toHaveLength(0);
  });
});

describe('a browser', () => {
  test('of an allowed page may ask with the headers that the SDK sends, and read those it goes by', async () => {
    const headers = {
      Origin: world.url,
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'authorization,content-type,x-stainless-lang,x-stainless-retry-count',
    };
    const preflight = await fetch(`${world.url}/v1/chat/completions`, { method: 'OPTIONS', headers });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-headers')).toContain('x-stainless-retry-count');
    const answer = await send({ headers: { Origin: world.url }, body: good });
    expect(answer.headers.get('access-control-expose-headers')).toContain('X-Should-Retry');
  });

  test('of another page does not get in by its cookie', async () => {
    const login = { username: user.username, password: user.password };
    const response = await fetch(`${world.url}/api/auth/login`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(login),
    });
    const cookie = response.headers
      .getSetCookie()
      .map((item) => item.split(';', 1)[0])
      .join('; ');
    const cookieOnly = { Authorization: '', Cookie: cookie };
    expect((await send({ headers: cookieOnly, body: good })).status).toBe(403);
    expect(
      (await send({ headers: { ...cookieOnly, Origin: 'https://evil.example' }, body: good })).body.error.code,
    ).toBe('origin_not_allowed');
    expect((await send({ headers: { ...cookieOnly, Origin: world.url }, body: good })).status).toBe(200);
  });
});

describe('when no model answers', () => {
  const { InternalServerError, BadRequestError } = OpenAI;
  /** Each meets one call, so that no earlier one's cooldown is what a test sees. */
  const REFUSALS = [
    ['sim/500', false, 503, 'overloaded', InternalServerError],
    ['sim/503', true, 503, 'overloaded', InternalServerError],
    ['sim/429', true, 503, 'overloaded', InternalServerError],
    ['sim/404', false, 503, 'overloaded', InternalServerError],
    ['sim/html', true, 502, 'bad_gateway', InternalServerError],
    ['sim/empty', true, 502, 'bad_gateway', InternalServerError],
    ['sim/blank-200', false, 502, 'bad_gateway', InternalServerError],
    ['sim/cut-after:2', false, 502, 'bad_gateway', InternalServerError],
    ['sim/stall-first-token', true, 504, 'timeout', InternalServerError],
    ['sim/stall-headers', false, 504, 'timeout', InternalServerError],
    ['sim/400', true, 400, 'model_refused', BadRequestError],
    ['sim/413', false, 400, 'model_refused', BadRequestError],
    ['sim/400-context', true, 400, 'context_length_exceeded', BadRequestError],
    ['sim/400-context', false, 400, 'context_length_exceeded', BadRequestError],
  ] as const;
  const BROKEN = ['sim/err-mid:2', 'sim/cut-after:3', 'sim/reset-after:2'];
  // Short for the two that stall, long for what answers at once on a busy machine.
  const env = { LLM_FIRST_TOKEN_TIMEOUT: '750ms', LLM_HEADERS_TIMEOUT: '750ms', OPENAI_HEARTBEAT: '30s' };

  let failing: World;
  let someone: TestUser;
  beforeAll(async () => {
    const models = [...new Set([...REFUSALS.map(([model]) => model), ...BROKEN, 'sim/502-html'])];
    failing = await startWorld({ models, env });
    someone = await failing.signUp();
  });
  afterAll(() => failing.stop());

  test.each(REFUSALS)('because of %s (stream: %p), the refusal is %i %s before any token', async (...refusal) => {
    const [model, stream, status, code, Kind] = refusal;
    const error = await rejectionOf(openAiClient(someone).chat.completions.create({ ...asking(model), stream }));
    expect(error).toBeInstanceOf(Kind);
    expect(error).toMatchObject({ status, code });
  });

  test.each(['401', '402'])('because of %s, which is between the server and its endpoint, it is 503', async (mode) => {
    const world = await startWorld({ models: [`sim/${mode}`] });
    try {
      const client = openAiClient(await world.signUp());
      const error = await rejectionOf(client.chat.completions.create(asking('auto')));
      expect(error).toMatchObject({ status: 503, code: 'overloaded', message: '503 No model is available' });
      expect(world.upstream.log).toHaveLength(1);
    } finally {
      await world.stop();
    }
  });

  test('the SDK, told that all was tried, does not multiply the attempts', async () => {
    const before = failing.upstream.log.length;
    const error = await rejectionOf(openAiClient(someone, 2).chat.completions.create(asking('sim/502-html')));
    const { headers } = error as InstanceType<typeof OpenAI.APIError>;
    expect(headers?.get('x-should-retry')).toBe('false');
    expect(failing.upstream.log.length - before).toBeLessThanOrEqual(2);
  });

  test.each(BROKEN)('any more (%s), the stream ends with the error and without [DONE]', async (model) => {
    const body = { ...asking(model), stream: true } as const;
    const stream = await openAiClient(someone).chat.completions.create(body);
    let text = '';
    const error = await rejectionOf(
      (async () => {
        for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
      })(),
    );
    expect(text).toMatch(/^word1 word2/);
    expect(error).toBeInstanceOf(OpenAI.APIError);
    expect(error).toMatchObject({ type: 'server_error', error: { message: expect.stringMatching(/\S/) } });
    const { body: wire } = await someone.call('POST', '/v1/chat/completions', body);
    expect(wire).toContain('data: {"error":{');
    expect(wire).not.toContain('[DONE]');
    expect(wire).not.toContain('event:');
  });
});

describe('a slow first token', () => {
  test('opens the stream with a comment, which the official client overlooks', async () => {
    const slow = await startWorld({ models: ['sim/slow-first-token:500'], env: { OPENAI_HEARTBEAT: '100ms' } });
    try {
      const someone = await slow.signUp();
      const { body } = await someone.call('POST', '/v1/chat/completions', { ...asking('auto'), stream: true });
      expect(body).toMatch(/^(: keep-alive\n\n)+data: /);
      expect(body).toMatch(/data: \[DONE\]\n\n$/);
      const runner = openAiClient(someone).chat.completions.stream(asking('auto'));
      expect(await runner.finalContent()).toMatch(/^word1/);
    } finally {
      await slow.stop();
    }
  });

  test('that never comes is an error in the stream, once that was opened', async () => {
    const env = { OPENAI_HEARTBEAT: '100ms', LLM_FIRST_TOKEN_TIMEOUT: '250ms' };
    const stalled = await startWorld({ models: ['sim/stall-first-token'], env });
    try {
      const client = openAiClient(await stalled.signUp());
      const stream = await client.chat.completions.create({ ...asking('auto'), stream: true });
      const error = await rejectionOf(stream[Symbol.asyncIterator]().next());
      expect(error).toMatchObject({ code: 'timeout', type: 'server_error' });
    } finally {
      await stalled.stop();
    }
  });
});
