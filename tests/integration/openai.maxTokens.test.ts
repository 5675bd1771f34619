import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { countTokens, newcomerText } from '../../src/services/llm/simulator/text.ts';
import { asking, openAiClient } from '../support/openai.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;
beforeAll(async () => {
  world = await startWorld({ models: ['sim/ok'] });
  user = await world.signUp();
});
afterAll(() => world.stop());

const WHOLE = newcomerText(asking('sim/ok').messages);

/** The answer of the simulator, plain and streamed: text, finish reason, completion tokens. */
const answersTo = async (fields: object) => {
  const { completions } = openAiClient(user).chat;
  const request = { ...asking('sim/ok'), ...fields };
  const plain = await completions.create(request);
  const streamed = completions.stream({ ...request, stream_options: { include_usage: true } });
  return [plain, await streamed.finalChatCompletion()].map(({ choices: [choice], usage }) => [
    choice?.message.content,
    choice?.finish_reason,
    usage?.completion_tokens,
  ]);
};

test.each(['max_tokens', 'max_completion_tokens'])(
  'an answer of at most 8 tokens, asked for by %s, has 8 and says that its length ended it',
  async (name) => {
    const expected = [WHOLE.slice(0, 32), 'length', 8];
    expect(await answersTo({ [name]: 8 })).toEqual([expected, expected]);
  },
);

test('an answer that fits, asked for with its very length, is whole', async () => {
  const expected = [WHOLE, 'stop', countTokens(WHOLE)];
  expect(await answersTo({ max_tokens: countTokens(WHOLE) })).toEqual([expected, expected]);
});
