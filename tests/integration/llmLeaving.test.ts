import { expect, test } from '@jest/globals';
import { runLeaves, WAYS } from '../support/llmFaults/leaving.ts';
import { runSilence } from '../support/llmFaults/silence.ts';

const LONG = 120_000;
const TRIALS = 7;

test.each(WAYS)(
  'a client that leaves (%s) ends its one call upstream, and no other follows',
  async (way) => {
    const leaves = await runLeaves(way, TRIALS);
    expect(leaves).toHaveLength(TRIALS);
    for (const { ms, calls } of leaves) {
      expect(calls).toBe(1);
      // Some milliseconds (`npm run faults:llm` prints them); a second is what a busy machine may add.
      expect(ms).toBeLessThan(5000);
    }
  },
  LONG,
);

test.each(['v1-stream', 'sse'] as const)(
  'of twenty requests at %s one waits for a model that is silent, and it is asked three times',
  async (door) => {
    const report = await runSilence(door);
    expect(report).toMatchObject({ served: 20, calls: expect.any(Number) });
    expect(report.waited).toBeLessThanOrEqual(1);
    expect(report.calls).toBeLessThanOrEqual(3);
    // Scaled by ten the promise is 0.5 s: a beat of two seconds, and what a busy machine adds.
    expect(report.backAfterMs).toBeLessThan(5000);
  },
  LONG,
);
