import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runFrames } from '../support/hostile/frameRun.ts';
import { seedOf } from '../support/random.ts';
import { startWorld, type World } from '../support/world.ts';

const FRAMES = 3_000;

let world: World;
beforeAll(async () => {
  world = await startWorld({
    models: ['sim/echo', 'sim/words:8'],
    env: { MAX_CONNECTIONS_PER_USER: '0', LOG_LEVEL: 'warn' },
  });
});
afterAll(() => world.stop());

test('hostile frames at every live door are read and answered as documented, and another user is served beside them', async () => {
  const report = await runFrames({ url: world.url, seed: seedOf('hostile frames'), frames: FRAMES });
  expect(report.findings.all()).toEqual([]);
  const read = report.read.entries().map(([, count]) => count);
  expect(read.length).toBe(3);
  expect(read.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(FRAMES);
  // Two at each live door, before, after, and after every 500 frames.
  expect(report.fairSends).toBeGreaterThanOrEqual(12);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  expect(world.logs().filter(({ level }) => level === 'error')).toEqual([]);
});
