import { describe, expect, test } from '@jest/globals';
import { createMemoryCounts } from '../../src/services/limits/failureCounts.ts';
import { createFailureGate, type FailureGateOptions } from '../../src/services/limits/failures.ts';
import { failureCountsContract } from '../contract/stores/failureCounts.contract.ts';

const open = (options: Partial<FailureGateOptions> = {}) => {
  let now = 1_000_000;
  let refused = 0;
  const gate = createFailureGate({
    clock: { now: () => now },
    waitAfter: (failures) => (failures < 2 ? 0 : 1000),
    counts: createMemoryCounts(),
    memory: { ms: 60_000, since: 'last' },
    clearedByRight: true,
    onRefused: () => (refused += 1),
    ...options,
  });
  const guess = async (key: string, outcome: 'right' | 'wrong' | 'unknown') => (await gate.enter(key))(outcome);
  return { gate, guess, refused: () => refused, advance: (ms: number) => (now += ms) };
};
const refusal = (retryAfterMs: number) => ({ code: 'TOO_MANY_FAILURES', retryAfterMs });

describe('a gate for wrong guesses', () => {
  test('a guess of which nothing came, counts for nothing', async () => {
    const { guess, refused } = open();
    for (let count = 0; count < 9; count += 1) await guess('a', 'unknown');
    await guess('a', 'wrong');
    await guess('a', 'wrong');
    await expect(guess('a', 'right')).rejects.toMatchObject(refusal(1000));
    expect(refused()).toBe(1);
  });

  test('a guess that was let in after the wait and came to nothing, does not lengthen it', async () => {
    const { guess, advance } = open();
    await guess('a', 'wrong');
    await guess('a', 'wrong');
    advance(1000);
    await guess('a', 'unknown');
    await guess('a', 'wrong');
    await expect(guess('a', 'right')).rejects.toMatchObject(refusal(1000));
  });

  test('wrong guesses are forgotten after a while without one', async () => {
    const { guess, advance } = open();
    await guess('a', 'wrong');
    advance(59_999);
    await guess('a', 'wrong');
    advance(60_000);
    await guess('a', 'wrong');
    await guess('a', 'right');
  });

  test('more than may wait for others, at once, are refused; those that wait are decided by what comes', async () => {
    const { gate } = open();
    const settles = [await gate.enter('a'), await gate.enter('a')];
    const waiting = Array.from({ length: 128 }, () =>
      gate.enter('a').then(
        () => 'in',
        () => 'refused',
      ),
    );
    await expect(gate.enter('a')).rejects.toMatchObject(refusal(1000));
    for (const settle of settles) await settle('wrong');
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['refused']));
  });

  test('of too many keys, those that were not seen for longest are forgotten', async () => {
    const { guess } = open({ counts: createMemoryCounts(3) });
    for (const key of ['a', 'a', 'b', 'b']) await guess(key, 'wrong');
    for (const key of ['c', 'd']) await guess(key, 'wrong');
    await guess('a', 'wrong');
    await expect(guess('d', 'wrong').then(() => guess('d', 'wrong'))).rejects.toMatchObject(refusal(1000));
  });
});

describe('counts in memory', () => {
  failureCountsContract(() => Promise.resolve(createMemoryCounts()));
});
