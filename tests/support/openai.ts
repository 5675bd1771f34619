import OpenAI from 'openai';
import type { TestUser } from './world.ts';

/** The official client as a stranger would use it; its own tries are off unless a test is about them. */
export const openAiClient = ({ url, accessToken }: Pick<TestUser, 'url' | 'accessToken'>, maxRetries = 0): OpenAI =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey: accessToken, maxRetries });

/** What a promise was rejected with. */
export const rejectionOf = async (promise: PromiseLike<unknown>): Promise<unknown> => {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it was not rejected');
};

/** The body of a completion in one question. */
export const asking = (model: string, content = 'Hi') => ({
  model,
  messages: [{ role: 'user' as const, content }],
});
