import { drive } from '../support/drive.ts';
import type { Row } from '../support/row.ts';
import { interleave, lineOf } from '../support/rounds.ts';
import { BURST } from '../support/tokens.ts';

const CLIENTS = 50;

/** The model sends whole replies at once, and every client sends again at once: what one core can do at most. */
export const burst: Row = {
  name: 'burst',
  run: async ({ subjects, rounds, isQuick }) => {
    const all = await subjects();
    const measured = await interleave(['relay', 'handwritten', 'parley', 'parley-sse'], rounds, async (name) => {
      const windowMs = isQuick ? 2000 : 4000;
      const driven = await drive({ subject: all[name], clients: CLIENTS, pace: BURST, warmUpMs: 1000, windowMs });
      return {
        repliesPerSecond: driven.replies / driven.seconds,
        cpuMsPerReply: driven.cpuUs / 1000 / driven.replies,
        tokensPerCpuSecond: driven.tokens / (driven.cpuUs / 1e6),
      };
    });
    return [
      lineOf(measured, {
        key: 'repliesPerSecond',
        title: 'Burst: streamed replies per second',
        unit: '1/s',
        goal: { base: 'relay', goal: 2, better: 'higher' },
      }),
      lineOf(measured, {
        key: 'repliesPerSecond',
        title: 'Burst: streamed replies per second',
        unit: '1/s',
        goal: { base: 'handwritten', goal: 1.5, better: 'higher' },
      }),
      lineOf(measured, {
        key: 'cpuMsPerReply',
        title: 'Burst: CPU per reply',
        unit: 'ms',
        goal: { base: 'handwritten', goal: 1, better: 'lower' },
      }),
      lineOf(measured, { key: 'tokensPerCpuSecond', title: 'Burst: tokens per CPU-second', unit: '1/s' }),
    ];
  },
};
