import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../support/clients.ts';
import type { Row } from '../support/row.ts';
import { interleave, lineOf } from '../support/rounds.ts';
import {
  startHandwritten,
  startParley,
  startRelay,
  type ServerOptions,
  type Subject,
  type SubjectName,
} from '../support/subjects.ts';
import type { Ground } from '../support/subjects.ts';

const USERS = 100;
/** How many connect at the same time. */
const AT_ONCE = 50;

const start = (name: SubjectName, ground: Ground, options: ServerOptions): Promise<Subject> => {
  if (name === 'relay') return startRelay(ground, options);
  return name === 'handwritten' ? startHandwritten(ground, options) : startParley(ground, options);
};

const connectAll = async (subject: Subject, count: number): Promise<Client[]> => {
  const clients: Client[] = [];
  while (clients.length < count) {
    const batch = Math.min(AT_ONCE, count - clients.length);
    const from = clients.length;
    clients.push(...(await Promise.all(Array.from({ length: batch }, (_client, at) => subject.connect(from + at)))));
  }
  return clients;
};

/** Resident and heap bytes once everything that can be collected was. */
const settled = async ({ child }: Subject): Promise<{ rss: number; heap: number }> => {
  await sleep(1000);
  await child.probe();
  await sleep(500);
  const { heapBytes } = await child.probe();
  return { rss: child.rssBytes(), heap: heapBytes };
};

/** What an idle, authenticated socket costs, and whether it is given back. A fresh server for each round. */
export const memory: Row = {
  name: 'memory',
  run: async ({ ground, rounds, isQuick }) => {
    const sockets = isQuick ? 1000 : 5000;
    const measured = await interleave(['relay', 'handwritten', 'parley'], Math.min(rounds, 3), async (name) => {
      const subject = await start(name, ground, { users: isQuick ? 20 : USERS, hasProbe: true });
      try {
        // A few come and go first: what the first socket loads is not what each socket costs.
        for (const client of await connectAll(subject, 200)) client.close();
        const before = await settled(subject);
        const cpuBefore = subject.child.cpuUs();
        const clients = await connectAll(subject, sockets);
        const cpuUs = subject.child.cpuUs() - cpuBefore;
        const during = await settled(subject);
        for (const client of clients) client.close();
        await sleep(1000);
        const after = await settled(subject);
        return {
          startRssMb: before.rss / 1024 / 1024,
          rssKb: (during.rss - before.rss) / sockets / 1024,
          heapKb: (during.heap - before.heap) / sockets / 1024,
          keptRssPercent: (100 * (after.rss - before.rss)) / (during.rss - before.rss),
          keptHeapPercent: (100 * (after.heap - before.heap)) / (during.heap - before.heap),
          connectCpuUs: cpuUs / sockets,
        };
      } finally {
        await subject.child.stop();
      }
    });
    const title = `Idle socket (${String(sockets)})`;
    const goal = { base: 'handwritten', goal: 1, better: 'lower' } as const;
    return [
      lineOf(measured, { key: 'startRssMb', title: 'Server without clients: RSS', unit: 'MB' }),
      lineOf(measured, { key: 'rssKb', title: `${title}: RSS each`, unit: 'KB', goal }),
      lineOf(measured, { key: 'heapKb', title: `${title}: heap each`, unit: 'KB' }),
      lineOf(measured, { key: 'keptRssPercent', title: `${title}: RSS still held after they left`, unit: '%' }),
      lineOf(measured, { key: 'keptHeapPercent', title: `${title}: heap still held after they left`, unit: '%' }),
      lineOf(measured, { key: 'connectCpuUs', title: `${title}: CPU per connect`, unit: 'µs' }),
    ];
  },
};
