import { connectDirect } from '../support/subjects.ts';
import type { Client } from '../support/clients.ts';
import { withClients } from '../support/drive.ts';
import type { Row } from '../support/row.ts';
import { interleave, lineOf } from '../support/rounds.ts';
import { percentile } from '../support/stats.ts';
import { modelOf, question, SHORT } from '../support/tokens.ts';

const WARM_UP = 20;

/** One reply after the other; the milliseconds to the first text of each. */
export const firstTokens = async (client: Client, count: number): Promise<number[]> => {
  const times: number[] = [];
  for (let sent = 0; sent < count + WARM_UP; sent += 1) {
    const { sentAt, firstAt } = await client.send({ content: question(sent % 50), model: modelOf(SHORT) });
    if (sent >= WARM_UP) times.push(firstAt - sentAt);
  }
  return times;
};

/** How much later than from the model itself the first text arrives, on a server that has nothing else to do. */
export const firstToken: Row = {
  name: 'first-token',
  run: async ({ ground, subjects, rounds, isQuick }) => {
    const all = await subjects();
    const count = isQuick ? 60 : 150;
    const measured = await interleave(['relay', 'handwritten', 'parley', 'parley-sse'], rounds, async (name) => {
      const direct = await connectDirect(ground);
      const base = await firstTokens(direct, count);
      direct.close();
      const times = await withClients(all[name], 1, ([client]) =>
        client ? firstTokens(client, count) : Promise.resolve([]),
      );
      return {
        p50: percentile(times, 0.5) - percentile(base, 0.5),
        p99: percentile(times, 0.99) - percentile(base, 0.99),
        direct: percentile(base, 0.5),
      };
    });
    const goal = { base: 'handwritten', goal: 1, better: 'lower' } as const;
    return [
      lineOf(measured, { key: 'p50', title: 'Time to first token, added, p50', unit: 'ms', goal }),
      lineOf(measured, { key: 'p99', title: 'Time to first token, added, p99', unit: 'ms', goal }),
    ];
  },
};
