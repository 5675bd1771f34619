import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { waitFor } from '../support/waitFor.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

/** Each call has one of its own, which nobody avoids yet for having failed. */
const BROKEN = [8, 9, 10, 11].map((count) => `sim/cut-after:${String(count)}`);
const WHOLE = 'sim/words:20';

interface Used {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly totalTokens: number;
  readonly estimated?: boolean;
}

describe('the usage of an answer that another model went on with', () => {
  let world: World;
  let user: TestUser;
  beforeAll(async () => {
    const models = [...BROKEN, WHOLE];
    const rotation = models.map((model) => (model === WHOLE ? model : `${model}=1000`)).join();
    world = await startWorld({ models, env: { OPENROUTER_MODELS: rotation, MID_STREAM_FAILOVER: 'true' } });
    user = await world.signUp();
  });
  afterAll(() => world.stop());

  const choice = (index: number): string => `${String(BROKEN[index])},${WHOLE}`;
  const tokensOf = (units: number): number => Math.ceil(units / 4);

  /** What the last answer has to tell: the guess of its first model, by the texts that it was sent and wrote, and what the second told. */
  const expected = (index: number): Used => {
    const [first, second] = world.upstream.log.slice(-2);
    if (!first || !second?.bill) throw new Error('there were no two calls');
    expect([first.model, second.model]).toEqual([BROKEN[index], WHOLE]);
    const words = Array.from({ length: 8 + index }, (_, i) => `word${String(i + 1)}`).join(' ');
    const sent = first.messages.map(({ content }) => content).join('');
    const promptTokens = tokensOf(sent.length) + second.bill.promptTokens;
    const completionTokens = tokensOf(words.length) + second.bill.completionTokens;
    return { promptTokens, completionTokens, totalTokens: promptTokens + completionTokens, estimated: true };
  };

  test('a message tells both, the broken part as a guess, and stores it', async () => {
    const { body } = await user.call('POST', '/api/chat/message', { content: 'count', model: choice(0) });
    expect(body.message.usage).toMatchObject(expected(0));
    expect((await user.call('GET', `/api/chat/messages/${String(body.message.id)}`)).body.usage).toEqual(
      body.message.usage,
    );
  });

  test('an event stream tells the same at its end', async () => {
    const events = await user.stream('/api/chat/message', { content: 'count', model: choice(1) });
    expect(events.at(-1)).toMatchObject({ event: 'end', data: { usage: expected(1) } });
  });

  test('a completion tells the same, in one chunk', async () => {
    const messages = [{ role: 'user', content: 'count' }];
    const response = await fetch(`${user.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${user.accessToken}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ model: choice(2), stream: true, stream_options: { include_usage: true }, messages }),
    });
    const chunks = (await response.text()).split('\n').filter((line) => line.startsWith('data: {'));
    const told = chunks.map((line) => JSON.parse(line.slice(6)).usage).filter(Boolean);
    const { promptTokens, completionTokens, totalTokens } = expected(2);
    expect(told).toMatchObject([
      {
        prompt_tokens: promptTokens,
        completion_tokens: completionTokens,
        total_tokens: totalTokens,
        estimated: true,
      },
    ]);
  });

  test('a completion in one piece, begun anew, tells what the model used whose answer it is', async () => {
    const messages = [{ role: 'user', content: 'count' }];
    const { body } = await user.call('POST', '/v1/chat/completions', { model: choice(3), messages });
    const { bill } = world.upstream.log.at(-1) ?? {};
    expect(body.usage).toMatchObject({ prompt_tokens: bill?.promptTokens, completion_tokens: bill?.completionTokens });
    expect(body.usage.estimated).toBeUndefined();
  });

  test('the books have each call for itself, with what the endpoint told of it later', async () => {
    const items = await waitFor(async () => {
      const { body } = await user.call('GET', '/api/usage/attempts');
      return body.items.length === 8 && body.items;
    });
    const inBooks = items.map(({ generationId, usage }: { generationId: string; usage: Used }) => [
      generationId,
      usage.promptTokens,
      usage.completionTokens,
      usage.estimated,
    ]);
    const billed = world.upstream.log.map(({ generationId, bill }) => [
      generationId,
      bill?.promptTokens,
      bill?.completionTokens,
      false,
    ]);
    expect(inBooks.sort()).toEqual(billed.sort());
  });
});

describe('the usage of an answer whose model does not tell it', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ models: ['sim/usage-missing'] });
  });
  afterAll(() => world.stop());

  test('is a guess, natively and at /v1', async () => {
    const user = await world.signUp();
    const { body: sent } = await user.call('POST', '/api/chat/message', { content: 'hello' });
    const messages = [{ role: 'user', content: 'hello' }];
    const { body: whole } = await user.call('POST', '/v1/chat/completions', { model: 'auto', messages });
    const completionTokens = Math.ceil(sent.message.content.length / 4);
    expect(sent.message.usage).toMatchObject({ completionTokens, estimated: true });
    expect(whole.usage).toEqual({
      prompt_tokens: 2,
      completion_tokens: completionTokens,
      total_tokens: 2 + completionTokens,
      estimated: true,
    });
  });
});
