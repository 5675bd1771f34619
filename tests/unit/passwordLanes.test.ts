import { describe, expect, test } from '@jest/globals';
import { createLanes, type Lane } from '../../src/services/auth/passwordLanes.ts';

/** Tasks that end when they are told to, and the order in which they began. */
const setUp = (running: number, waiting: number) => {
  const runInLane = createLanes({ running, waiting, retryAfterMs: 2000 });
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const add = (lane: Lane, name: string): Promise<string> =>
    runInLane(lane, () => {
      begun.push(name);
      return new Promise((resolve) => ends.set(name, () => resolve(name)));
    });
  return { add, begun, end: (name: string) => ends.get(name)?.(), runInLane };
};

describe('lanes of password work', () => {
  test('as many as may, run at once; known work that waits goes before open work that waits longer', async () => {
    const { add, begun, end } = setUp(2, 10);
    const first = [add('open', 'a'), add('open', 'b')];
    const later = [add('open', 'c'), add('open', 'd'), add('known', 'owner')];
    expect(begun).toEqual(['a', 'b']);
    end('a');
    expect(await first[0]).toBe('a');
    expect(begun).toEqual(['a', 'b', 'owner']);
    for (const name of ['b', 'owner']) end(name);
    await Promise.all([first[1], later[2]]);
    expect(begun).toEqual(['a', 'b', 'owner', 'c', 'd']);
    for (const name of ['c', 'd']) end(name);
    expect(await Promise.all(later)).toEqual(['c', 'd', 'owner']);
  });

  test('a full open lane refuses with a wait, and takes no place of the known one', async () => {
    const { add, begun, end } = setUp(1, 2);
    const open = [add('open', 'a'), add('open', 'b'), add('open', 'c')];
    await expect(add('open', 'd')).rejects.toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 2000 });
    const known = [add('known', 'x'), add('known', 'y')];
    await expect(add('known', 'z')).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    for (const name of ['a', 'x', 'y', 'b', 'c']) {
      end(name);
      await Promise.race([...open, ...known].filter((_task, index) => ['a', 'b', 'c', 'x', 'y'][index] === name));
    }
    await Promise.all([...open, ...known]);
    expect(begun).toEqual(['a', 'x', 'y', 'b', 'c']);
  });

  test('a task that fails makes room for the next one', async () => {
    const { add, end, runInLane } = setUp(1, 2);
    await expect(runInLane('open', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    const next = add('open', 'a');
    end('a');
    expect(await next).toBe('a');
  });
});
