import { setTimeout as delay } from 'node:timers/promises';

/**
 * Resolves with the first answer of `ask` that is neither false, null nor undefined; an `ask` that rejects has no answer
 * yet. For states that announce themselves by no event. The test's own time limit is what ends it in vain.
 */
export const waitFor = async <T>(ask: () => Promise<T> | T): Promise<NonNullable<T>> => {
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== false && answer !== null && answer !== undefined) return answer;
    } catch {
      // Not yet.
    }
    await delay(20);
  }
};
