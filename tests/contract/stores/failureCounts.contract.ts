import { describe, expect, test } from '@jest/globals';
import { newId } from '../../../src/lib/ids.ts';
import type { FailureCounts } from '../../../src/services/limits/failureCounts.ts';
import { at, times } from './rows.ts';

const LAST = { ms: 1000, since: 'last' } as const;
const FIRST = { ms: 1000, since: 'first' } as const;

/** What is promised wherever wrong guesses are counted. */
export const failureCountsContract = (open: () => Promise<FailureCounts>): void => {
  test('a key counts its own failures, with the times of the first and the last', async () => {
    const counts = await open();
    const [key, other] = [newId(), newId()];
    expect(await counts.readFailures(key, at(0))).toBeNull();
    await counts.addFailure(key, at(10), LAST);
    await counts.addFailure(other, at(15), LAST);
    await counts.addFailure(key, at(20), LAST);
    expect(await counts.readFailures(key, at(30))).toEqual({ failures: 2, firstAt: at(10), lastAt: at(20) });
    expect(await counts.readFailures(other, at(30))).toMatchObject({ failures: 1 });
  });

  test('cleared, it has none, and begins anew', async () => {
    const counts = await open();
    const key = newId();
    await counts.clearFailures(key);
    await counts.addFailure(key, at(10), LAST);
    await counts.clearFailures(key);
    expect(await counts.readFailures(key, at(20))).toBeNull();
    await counts.addFailure(key, at(30), LAST);
    expect(await counts.readFailures(key, at(40))).toEqual({ failures: 1, firstAt: at(30), lastAt: at(30) });
  });

  describe.each([
    ['the last', LAST, 1500],
    ['the first', FIRST, 1000],
  ] as const)('forgotten by the time since %s', (_name, memory, until) => {
    test('it counts until then, and the next one is the first', async () => {
      const counts = await open();
      const key = newId();
      await counts.addFailure(key, at(0), memory);
      await counts.addFailure(key, at(500), memory);
      expect(await counts.readFailures(key, at(until - 1))).toMatchObject({ failures: 2 });
      expect(await counts.readFailures(key, at(until))).toBeNull();
      await counts.addFailure(key, at(until), memory);
      expect(await counts.readFailures(key, at(until))).toEqual({ failures: 1, firstAt: at(until), lastAt: at(until) });
    });
  });

  test('those of a key that come at once, are all counted', async () => {
    const counts = await open();
    const key = newId();
    await counts.addFailure(key, at(0), LAST);
    await Promise.all(times(10, () => counts.addFailure(key, at(10), LAST)));
    expect(await counts.readFailures(key, at(20))).toMatchObject({ failures: 11 });
  });
};
