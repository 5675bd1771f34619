import { afterEach, describe, expect, test } from '@jest/globals';
import { textOf } from '../support/sse.ts';
import { startWorld, type World, type WorldOptions } from '../support/world.ts';

let world: World;
const start = async (options: WorldOptions) => {
  world = await startWorld(options);
  return world.signUp();
};
afterEach(() => world.stop());

const asked = (): string[] => world.upstream.log.map(({ model }) => model);
const ECHO = 'sim/echo';

describe('a fault before the first text', () => {
  test.each(['500', 'reset-before-headers', 'blank-200', 'err-first-event'])(
    '(%s) costs two calls, and the client sees one reply of the next model',
    async (mode) => {
      const bad = `sim/${mode}`;
      const user = await start({ models: [bad, ECHO] });
      const events = await user.stream('/api/chat/message', { content: 'hello there' });
      expect(textOf(events)).toBe('hello there');
      expect(events.at(-1)).toMatchObject({ event: 'end', data: { status: 'complete', model: ECHO } });
      expect(asked()).toEqual([bad, ECHO]);
      const { body } = await user.call('GET', `/api/chat/messages/${String(events.at(-1)?.data.messageId)}`);
      expect(body).toMatchObject({ content: 'hello there', model: ECHO });
      // One model wrote all of it.
      expect(body.segments).toBeUndefined();
    },
  );
});

test('an account that is refused costs one call, the next sends none, and all are told when to come back', async () => {
  const user = await start({ models: ['sim/402', 'sim/a', 'sim/b'] });
  const send = () => user.call('POST', '/api/chat/message', { content: 'hello', stream: false });
  const told = { status: 503, body: { code: 'LLM_UNAVAILABLE', retryAfterMs: expect.any(Number) } };
  const first = await send();
  expect(first).toMatchObject(told);
  expect(first.body.retryAfterMs).toBeGreaterThan(20_000);
  expect(await send()).toMatchObject(told);
  expect(asked()).toEqual(['sim/402']);
  const { body } = await user.call('GET', '/api/models');
  for (const model of body.items) {
    expect(model).toMatchObject({ state: 'cooling', share: 0, next: false });
    expect(Date.parse(model.cooldownUntil) - Date.now()).toBeGreaterThan(20_000);
  }
});

test('at /v1 the first to find nobody is told in Retry-After when to come back', async () => {
  const user = await start({ models: ['sim/500'] });
  const body = { model: 'auto', messages: [{ role: 'user', content: 'hello' }] };
  const headers = { Authorization: `Bearer ${user.accessToken}`, 'Content-Type': 'application/json' };
  const answer = await fetch(`${world.url}/v1/chat/completions`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  });
  expect(answer.status).toBe(503);
  expect(Number(answer.headers.get('Retry-After'))).toBeGreaterThanOrEqual(1);
});

test('what the provider refuses to answer is the caller’s, and not to be sent again', async () => {
  const user = await start({ models: ['sim/400-policy'] });
  const refused = await user.call('POST', '/api/chat/message', { content: 'hello', stream: false });
  expect(refused).toMatchObject({ status: 400, body: { code: 'MODEL_REFUSED', retryable: false } });
  const events = await user.stream('/api/chat/message', { content: 'hello there' });
  expect(events.at(-1)).toMatchObject({
    event: 'failed',
    data: { error: { code: 'MODEL_REFUSED', retryable: false } },
  });
});

test('of twenty sends one waits for a model that is silent', async () => {
  const user = await start({
    models: ['sim/stall-first-token', ECHO],
    env: { LLM_FIRST_TOKEN_TIMEOUT: '1s' },
  });
  const startedAt = Date.now();
  for (let count = 0; count < 20; count += 1) {
    const answer = await user.call('POST', '/api/chat/message', { content: 'hello', stream: false });
    expect(answer).toMatchObject({ status: 200, body: { message: { content: 'hello', model: ECHO } } });
  }
  const beats = (Date.now() - startedAt) / 2000;
  const silent = asked().filter((model) => model !== ECHO);
  expect(silent.length).toBeLessThanOrEqual(1 + Math.ceil(beats));
  // A call that somebody waited for is logged with what was asked next; a probe's failure is nobody's.
  const waits = world.logs().filter(({ message, next }) => message === 'model failed' && next !== null);
  expect(waits).toHaveLength(1);
});

test('what is wanted may be named in every way that the contract has, and nothing else', async () => {
  const user = await start({ models: [ECHO, 'sim/words:2'] });
  const send = async (model: string): Promise<unknown> => {
    const { status, body } = await user.call('POST', '/api/chat/message', { content: 'x', model, stream: false });
    return status === 200 ? body.message.model : body.code;
  };
  expect(await send('sim/words:2')).toBe('sim/words:2');
  expect(await send('sim/words:2, sim/echo')).toMatch(/^sim\//);
  expect(await send('auto:fast')).toMatch(/^sim\//);
  expect(await send('auto:cheap')).toMatch(/^sim\//);
  for (const model of ['auto:slow', 'sim/echo,nobody/nothing', 'sim/echo,', 'toString', 'auto,sim/echo']) {
    expect(await send(model)).toBe('MODEL_NOT_AVAILABLE');
  }
});
