import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { AttemptRecord, RoutedPart } from '../../src/services/llm/router.types.ts';
import { collect, startLlmEndpoint, type Collected, type LlmEndpoint } from '../support/llmEndpoint.ts';
import { textOf } from '../support/sse.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

const never = new AbortController().signal;
const words = (count: number): string =>
  Array.from({ length: count }, (_, index) => `word${String(index + 1)}`).join(' ');

describe('an answer that broke off, when another model may continue it', () => {
  let endpoint: LlmEndpoint;
  beforeEach(async () => {
    endpoint = await startLlmEndpoint();
  });
  afterEach(() => endpoint.close());

  const ask = (models: readonly string[], continues?: boolean): Promise<Collected<RoutedPart> & Recorded> => {
    const records: AttemptRecord[] = [];
    const router = endpoint.router(models, { continues: continues ?? true, timeouts: { idleMs: 100 } });
    const request = {
      model: 'auto',
      chatId: 'c',
      messages: [{ role: 'user', content: 'count' }],
      onAttempt: (record: AttemptRecord) => void records.push(record),
    } as const;
    return collect(router.stream(request, never)).then((answer) => ({ ...answer, records }));
  };
  interface Recorded {
    readonly records: readonly AttemptRecord[];
  }
  const asked = (): string[] => endpoint.simulator.log.map(({ model }) => model);
  const modelsOf = ({ parts }: Collected<RoutedPart>): unknown[] => parts.filter(({ type }) => type === 'model');

  test.each([
    ['cut-after:12', 'invalid'],
    ['reset-after:12', 'network'],
    ['err-mid:12', 'unavailable'],
    ['stall-mid:12', 'timeout'],
  ])('by %s is one text without a seam, and the change is told', async (mode, reason) => {
    const answer = await ask([`sim/${mode}`, 'sim/words:20']);
    expect(answer).toMatchObject({ error: null, text: words(20) });
    expect(modelsOf(answer)).toEqual([
      { type: 'model', model: `sim/${mode}`, reason: 'message' },
      { type: 'model', model: 'sim/words:20', reason },
    ]);
    const before = answer.parts.slice(
      0,
      answer.parts.findIndex(({ type }, index) => type === 'model' && index > 0),
    );
    expect(before.map((part) => (part.type === 'delta' ? part.text : '')).join('')).toBe(words(12));
    expect(answer.records).toMatchObject([
      { number: 1, outcome: 'failed', reason },
      { number: 2, outcome: 'complete', chosenBy: reason },
    ]);
  });

  test('is asked for by a user’s instruction, never by an assistant’s message at the end', async () => {
    await ask(['sim/cut-after:12', 'sim/words:20']);
    const [, second] = endpoint.simulator.log;
    expect(second).toMatchObject({ lastRole: 'user' });
    expect(second?.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user']);
    expect(second?.messages[1]?.content).toBe(words(12));
  });

  test('two times is continued, and then no more: three calls are all', async () => {
    endpoint.simulator.config({ modes: { 'sim/b': 'cut-after:16' } });
    const answer = await ask(['sim/cut-after:12', 'sim/b', 'sim/words:20', 'sim/words:30']);
    expect(answer).toMatchObject({ error: null, text: words(20) });
    expect(asked()).toEqual(['sim/cut-after:12', 'sim/b', 'sim/words:20']);
  });

  test('by a model that writes something else is kept as it was, and fails as it broke off', async () => {
    endpoint.simulator.config({ modes: { 'sim/b': 'continue-no-anchor:20' } });
    const answer = await ask(['sim/reset-after:12', 'sim/b', 'sim/words:20']);
    expect(answer).toMatchObject({ text: words(12), error: { kind: 'network' } });
    expect(modelsOf(answer)).toHaveLength(1);
    expect(asked()).toEqual(['sim/reset-after:12', 'sim/b']);
    expect(answer.records).toMatchObject([{ outcome: 'failed' }, { outcome: 'cancelled', reason: 'no-match' }]);
  });

  test('with other white space at the seam is one text all the same', async () => {
    endpoint.simulator.config({ modes: { 'sim/b': 'continue-whitespace:20' } });
    const answer = await ask(['sim/cut-after:12', 'sim/b']);
    expect(answer.error).toBeNull();
    expect(answer.text.split(/\s+/).join(' ')).toBe(words(20));
  });

  test('goes to the next model when the one that was to continue it fails', async () => {
    const answer = await ask(['sim/cut-after:12', 'sim/500', 'sim/words:20']);
    expect(answer).toMatchObject({ error: null, text: words(20) });
    expect(asked()).toEqual(['sim/cut-after:12', 'sim/500', 'sim/words:20']);
  });

  test('in the midst of a tool call is not continued', async () => {
    const answer = await ask(['sim/tools-cut', 'sim/words:20']);
    expect(answer.error).not.toBeNull();
    expect(asked()).toEqual(['sim/tools-cut']);
  });

  test('in the midst of a thought, before any text, is begun anew by the next model', async () => {
    const answer = await ask(['sim/reasoning-cut', 'sim/words:20']);
    expect(answer).toMatchObject({ error: null, text: words(20) });
    expect(endpoint.simulator.log[1]?.messages).toHaveLength(1);
  });

  test('is not continued unless that is wanted', async () => {
    expect(await ask(['sim/cut-after:12', 'sim/words:20'], false)).toMatchObject({
      text: words(12),
      error: { kind: 'invalid' },
    });
    expect(asked()).toHaveLength(1);
  });
});

describe('a reply that broke off', () => {
  let world: World;
  let user: TestUser;
  beforeAll(async () => {
    world = await startWorld({
      models: ['sim/cut-after:12', 'sim/words:20'],
      env: { OPENROUTER_MODELS: 'sim/cut-after:12=1000,sim/words:20' },
    });
    user = await world.signUp();
  });
  afterAll(() => world.stop());

  /** The rotation begins with the heavier model. */
  const body = { content: 'count', model: 'sim/cut-after:12,sim/words:20' };

  test('is continued when its send asks for that: a switch event, and segments in the stored message', async () => {
    const events = await user.stream('/api/chat/message', { ...body, midStreamFailover: true });
    expect(textOf(events)).toBe(words(20));
    const { offset, ...told } = events.find(({ event }) => event === 'switch')?.data ?? {};
    expect(told).toMatchObject({ from: 'sim/cut-after:12', to: 'sim/words:20', reason: 'invalid' });
    expect(offset).toBe(words(12).length);
    const end = events.at(-1);
    expect(end).toMatchObject({ event: 'end', data: { status: 'complete', model: 'sim/words:20' } });
    const { body: stored } = await user.call('GET', `/api/chat/messages/${String(end?.data.messageId)}`);
    expect(stored).toMatchObject({
      content: words(20),
      segments: [
        { model: 'sim/cut-after:12', from: 0, to: words(12).length, reason: 'message' },
        { model: 'sim/words:20', from: words(12).length, to: words(20).length, reason: 'invalid' },
      ],
    });
  });

  test('is kept and failed when it does not', async () => {
    const answer = await user.call('POST', '/api/chat/message', { ...body, model: 'sim/cut-after:12', stream: false });
    expect(answer).toMatchObject({ status: 502, body: { code: 'LLM_FAILED' } });
    const { body: stored } = await user.call('GET', `/api/chat/messages/${String(answer.body.messageId)}`);
    expect(stored).toMatchObject({ content: words(12), status: 'failed', model: 'sim/cut-after:12' });
    expect(stored.segments).toBeUndefined();
  });

  test('GET /api/models tells how the models do', async () => {
    const { body: list } = await user.call('GET', '/api/models');
    expect(list.items).toMatchObject([
      {
        id: 'sim/cut-after:12',
        weight: 1000,
        state: 'degraded',
        cooldownUntil: null,
        successRate: 0,
        next: true,
        contextLength: expect.any(Number),
        pricing: { promptMicroUsdPerMillionTokens: expect.any(Number) },
      },
      { id: 'sim/words:20', state: 'healthy', successRate: 1, firstTokenMs: expect.any(Number) },
    ]);
    const shares = (list.items as { share: number }[]).map(({ share }) => share);
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 10);
  });
});

describe('a regeneration and an edit whose model breaks off', () => {
  /** Each call has one of its own, which nobody avoids yet for having failed. */
  const CUT = [8, 9, 10, 11, 12].map((count) => `sim/cut-after:${String(count)}`);
  let world: World;
  let user: TestUser;
  let id: string;
  beforeAll(async () => {
    const models = [...CUT, 'sim/words:20'];
    world = await startWorld({
      models,
      env: { OPENROUTER_MODELS: models.map((m) => (CUT.includes(m) ? `${m}=1000` : m)).join() },
    });
    user = await world.signUp();
    const sent = await user.call('POST', '/api/chat/message', { content: 'count', model: 'sim/words:20' });
    id = sent.body.userMessage.id;
  });
  afterAll(() => world.stop());

  const turn = (index: number, midStreamFailover: boolean) => ({
    model: `${String(CUT[index])},sim/words:20`,
    midStreamFailover,
  });
  const expectContinued = async (messageId: string, index: number): Promise<void> => {
    const { body: stored } = await user.call('GET', `/api/chat/messages/${messageId}`);
    expect(stored).toMatchObject({ status: 'complete', content: words(20) });
    expect(stored.segments.map((segment: { model: string }) => segment.model)).toEqual([CUT[index], 'sim/words:20']);
  };

  test('are continued when they ask for that, over REST', async () => {
    const regenerated = await user.call('POST', `/api/chat/messages/${id}/regenerate`, turn(0, true));
    await expectContinued(regenerated.body.message.id, 0);
    const edited = await user.call('PATCH', `/api/chat/messages/${id}`, { content: 'once more', ...turn(1, true) });
    await expectContinued(edited.body.message.id, 1);
  });

  test.each([
    ['chat:regenerate', {}, 2],
    ['chat:edit', { content: 'once more' }, 3],
  ] as const)('are continued when they ask for that, by %s', async (event, more, index) => {
    const socket = await user.connect();
    const { promise: ended, resolve } = Promise.withResolvers<unknown>();
    socket.once('chat:end', resolve);
    const ack = await socket.emitWithAck(event, { messageId: id, ...more, ...turn(index, true) });
    expect(await ended).toMatchObject({ messageId: ack.messageId, status: 'complete' });
    await expectContinued(ack.messageId, index);
  });

  test('are kept as they are when they do not', async () => {
    const { body } = await user.call('POST', `/api/chat/messages/${id}/regenerate`, turn(4, false));
    expect(body).toMatchObject({ code: 'LLM_FAILED' });
    expect((await user.call('GET', `/api/chat/messages/${String(body.messageId)}`)).body.content).toBe(words(12));
  });
});
