import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../support/clients.ts';
import { withClients } from '../support/drive.ts';
import type { Line, Row } from '../support/row.ts';
import { interleave, lineOf } from '../support/rounds.ts';
import { percentile } from '../support/stats.ts';
import { agesMs, modelOf, nowUs, question, STAMPED } from '../support/tokens.ts';

const USERS = 100;

/** Milliseconds from the model's making a token to its arrival, for every token of `replies` replies at once. */
const lags = async (clients: readonly Client[], replies: number): Promise<number[]> => {
  const ages: number[] = [];
  const durationMs = STAMPED.intervalMs * STAMPED.tokens;
  const one = async (index: number): Promise<void> => {
    await sleep((index / replies) * (durationMs / 4));
    const client = clients[index % clients.length];
    await client?.send({
      content: question(index % 50),
      model: modelOf(STAMPED),
      onText: (text) => ages.push(...agesMs(text, nowUs())),
    });
  };
  await Promise.all(Array.from({ length: replies }, (_reply, index) => one(index)));
  return ages;
};

/** How old a token is when the client has it. A token every 50 ms per reply, as a model of middling speed writes. */
export const lag: Row = {
  name: 'lag',
  run: async ({ subjects, rounds, isQuick }) => {
    const all = await subjects();
    const lines: Line[] = [];
    for (const replies of isQuick ? [1, 500] : [1, 50, 500]) {
      const measured = await interleave(['relay', 'handwritten', 'parley', 'parley-sse'], rounds, async (name) => {
        const ages = await withClients(all[name], Math.min(replies, USERS), (clients) => lags(clients, replies));
        return { p50: percentile(ages, 0.5), p99: percentile(ages, 0.99) };
      });
      const title = `Delta lag, ${String(replies)} at once`;
      lines.push(lineOf(measured, { key: 'p50', title: `${title}, p50`, unit: 'ms' }));
      lines.push(lineOf(measured, { key: 'p99', title: `${title}, p99`, unit: 'ms' }));
    }
    return lines;
  },
};
