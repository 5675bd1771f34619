import { afterEach, describe, expect, test } from '@jest/globals';
import { runCuts } from '../support/faults/cuts.ts';
import { createFaultWorld, type FaultWorld } from '../support/faults/faultWorld.ts';
import { seedOf } from '../support/random.ts';

let world: FaultWorld;
afterEach(() => world.dispose());

describe('a connection', () => {
  test('cut, reset or frozen at any byte, resumes to the same text over SSE and Socket.IO, one generation each', async () => {
    const seed = seedOf('cuts');
    world = await createFaultWorld({ seed });
    const report = await runCuts(world, { seed, cuts: 20, clients: 4 });
    expect(report.violations).toEqual([]);
    expect(report.cuts).toBeGreaterThanOrEqual(20);
    // Nothing died but connections: every reply is whole, and each was generated once.
    expect(report.interrupted).toBe(0);
    expect(report.upstreamCalls).toBe(report.replies);
  }, 180_000);
});
