import { drive } from '../support/drive.ts';
import type { Row } from '../support/row.ts';
import { interleave, lineOf } from '../support/rounds.ts';
import { PACED } from '../support/tokens.ts';

const STREAMS = 100;

/** A hundred replies at once, each a token every 10 ms: what live streaming costs while nothing is saturated. */
export const paced: Row = {
  name: 'paced',
  run: async ({ subjects, rounds, isQuick }) => {
    const all = await subjects();
    const measured = await interleave(['relay', 'handwritten', 'parley', 'parley-sse'], rounds, async (name) => {
      const windowMs = isQuick ? 3000 : 6000;
      const driven = await drive({ subject: all[name], clients: STREAMS, pace: PACED, warmUpMs: 2000, windowMs });
      return {
        tokensPerCpuSecond: driven.tokens / (driven.cpuUs / 1e6),
        cpuMsPerReply: driven.cpuUs / 1000 / (driven.tokens / PACED.tokens),
        tokensPerSecond: driven.tokens / driven.seconds,
      };
    });
    return [
      lineOf(measured, {
        key: 'tokensPerCpuSecond',
        title: 'Paced: tokens per CPU-second',
        unit: '1/s',
        goal: { base: 'relay', goal: 1.5, better: 'higher' },
      }),
      lineOf(measured, {
        key: 'cpuMsPerReply',
        title: 'Paced: CPU per reply',
        unit: 'ms',
        goal: { base: 'handwritten', goal: 1, better: 'lower' },
      }),
      lineOf(measured, { key: 'tokensPerSecond', title: 'Paced: tokens delivered per second', unit: '1/s' }),
    ];
  },
};
