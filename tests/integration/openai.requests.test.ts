import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { asking } from '../support/openai.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

const MODELS = ['sim/words:3', 'sim/echo', 'sim/500', 'sim/400-policy'];

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await startWorld({ models: MODELS });
  user = await world.signUp();
});
afterAll(() => world.stop());

const complete = (body: object, by = user) => by.call('POST', '/v1/chat/completions', body);

describe('a conversation with ROUTER_AFFINITY=chat', () => {
  /** The models of ten conversations of four questions each, one line for each conversation. */
  const conversations = async (someone: TestUser, system: readonly object[]): Promise<string[][]> =>
    Promise.all(
      Array.from({ length: 10 }, async (_chat, chat) => {
        const messages = [...system];
        const models: string[] = [];
        for (let turn = 0; turn < 4; turn += 1) {
          messages.push({ role: 'user', content: `chat ${String(chat)}, question ${String(turn)}` });
          const { body } = await complete({ model: 'auto', messages }, someone);
          models.push(body.model);
          messages.push(body.choices[0].message);
        }
        return models;
      }),
    );

  test.each([
    ['without a system prompt', []],
    ['with one', [{ role: 'system', content: 'Be nice' }]],
    ['with two, as OpenAI calls them now', ['Be nice', 'Be brief'].map((content) => ({ role: 'developer', content }))],
  ])('%s keeps its model, and not all have the same', async (_case, system) => {
    const models = ['sim/words:1', 'sim/words:2', 'sim/words:3', 'sim/words:4'];
    const other = await startWorld({ models, env: { ROUTER_AFFINITY: 'chat' } });
    try {
      const asked = await conversations(await other.signUp(), system);
      expect(asked.map((turns) => new Set(turns).size)).toEqual(asked.map(() => 1));
      expect(new Set(asked.flat()).size).toBeGreaterThan(1);
    } finally {
      await other.stop();
    }
  });
});

describe('the model of a request', () => {
  test('may be a list, as with commas', async () => {
    const { status, body } = await complete({ ...asking('x'), model: ['sim/echo'] });
    expect([status, body.model]).toEqual([200, 'sim/echo']);
    const answered = new Set<string>();
    for (let time = 0; time < 4; time += 1) {
      answered.add((await complete({ ...asking('x'), model: ['sim/words:3', 'sim/echo'] })).body.model);
    }
    expect(answered).toEqual(new Set(['sim/words:3', 'sim/echo']));
  });

  test.each([
    ['an unknown model in a list', { model: ['sim/echo', 'gpt-17'] }, 404, 'model'],
    ['an empty list', { model: [] }, 400, 'model'],
    ['a list of something else', { model: [7] }, 400, 'model'],
    ['a number', { model: 7 }, 400, 'model'],
    ['functions as they were before tools', { functions: [{ name: 'f' }] }, 400, 'functions'],
    ['the choice of such a function', { function_call: 'auto' }, 400, 'function_call'],
    ['sound', { modalities: ['audio'] }, 400, 'modalities[0]'],
    ['too many log probabilities', { top_logprobs: 21 }, 400, 'top_logprobs'],
    ['a wish that is neither yes nor no', { midStreamFailover: 'yes' }, 400, 'midStreamFailover'],
  ])('%s is refused, and says which field it is', async (_case, fields, status, param) => {
    const calls = world.upstream.log.length;
    const answer = await complete({ ...asking('sim/echo'), ...fields });
    expect([answer.status, answer.body.error.param]).toEqual([status, param]);
    expect(answer.body.error.message).toMatch(/\S/);
    expect(world.upstream.log).toHaveLength(calls);
  });

  test('names what replaced functions', async () => {
    const { body } = await complete({ ...asking('sim/echo'), functions: [{ name: 'f' }] });
    expect(body.error.message).toContain('tools');
  });
});

describe('an error tells in its headers what the router did', () => {
  const routed = ({ headers }: { readonly headers: Headers }) =>
    ['x-router-model', 'x-router-attempts', 'x-router-overhead-ms'].map((name) => headers.get(name));

  test.each([false, true])('where a model was asked (stream: %p)', async (stream) => {
    const failed = await complete({ ...asking('sim/400-policy'), stream });
    expect(failed.status).toBe(400);
    expect(routed(failed)).toEqual(['sim/400-policy', '1', expect.stringMatching(/^\d+\.\d\d$/)]);
    const broken = await complete({ ...asking('sim/500'), stream });
    expect([broken.status >= 500, routed(broken)[0]]).toEqual([true, 'sim/500']);
    expect(Number(routed(broken)[1])).toBeGreaterThan(0);
  });

  test('and not where none was', async () => {
    expect(routed(await complete(asking('gpt-17')))).toEqual([null, null, null]);
  });
});

describe('a 401 says by what to authenticate', () => {
  const NONE = 'Bearer realm="parley"';
  const BAD = 'Bearer realm="parley", error="invalid_token"';

  test.each([
    ['POST', '/v1/chat/completions'],
    ['GET', '/v1/models'],
    ['GET', '/api/chat/sessions'],
    ['POST', '/api/chat/message'],
    ['GET', '/api/keys'],
  ])('%s %s', async (method, path) => {
    const challenge = async (headers: Record<string, string>): Promise<unknown> => {
      const { status, headers: answered } = await fetch(`${world.url}${path}`, { method, headers });
      return [status, answered.get('www-authenticate')];
    };
    expect(await challenge({})).toEqual([401, NONE]);
    expect(await challenge({ Authorization: 'Bearer nonsense' })).toEqual([401, BAD]);
  });

  test('a wrong password too, where no token came', async () => {
    const json = { username: user.username, password: 'Wrong-password-1' };
    const { status, headers } = await user.call('POST', '/api/auth/login', json, { headers: { Authorization: '' } });
    expect([status, headers.get('www-authenticate')]).toEqual([401, NONE]);
  });

  test('an upgrade to a WebSocket too', async () => {
    const challenge = await new Promise((resolve, reject) => {
      const upgrade = { Connection: 'Upgrade', Upgrade: 'websocket' };
      const key = { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version': '13' };
      request(`${world.url}/api/chat/ws`, { headers: { ...upgrade, ...key } })
        .on('response', (res) => resolve([res.resume().statusCode, res.headers['www-authenticate']]))
        .on('error', reject)
        .end();
    });
    expect(challenge).toEqual([401, NONE]);
  });

  test('and nothing else does', async () => {
    expect((await complete(asking('gpt-17'))).headers.get('www-authenticate')).toBeNull();
    expect((await complete(asking('sim/echo'))).headers.get('www-authenticate')).toBeNull();
  });
});
