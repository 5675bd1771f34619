import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Row } from '../support/row.ts';
import { interleave, lineOf } from '../support/rounds.ts';
import { percentile } from '../support/stats.ts';
import { logIn, startHandwritten, startParley, type Subject, type SubjectName } from '../support/subjects.ts';

const LOGINS = 20;
/** What production has by default. */
const BCRYPT_COST = 12;
const PING_EVERY_MS = 5;

const ping = (url: string, agent: http.Agent): Promise<number> =>
  new Promise((resolve, reject) => {
    const startedAt = performance.now();
    http
      .get(`${url}/health`, { agent }, (answer) => {
        answer.resume().on('end', () => resolve(performance.now() - startedAt));
      })
      .on('error', reject);
  });

/** Round trips of small requests for as long as `work` lasts; a new one every 5 ms, late answers or not. */
const pingsDuring = async (url: string, work: Promise<unknown>): Promise<number[]> => {
  const agent = new http.Agent({ keepAlive: true });
  const pings: Promise<number>[] = [];
  const state = { isOver: false };
  const over = work.finally(() => {
    state.isOver = true;
  });
  while (!state.isOver) {
    pings.push(ping(url, agent));
    await sleep(PING_EVERY_MS);
  }
  await over;
  const times = await Promise.all(pings);
  agent.destroy();
  return times;
};

/** Twenty logins at once while somebody else only wants a word: on all cores, as an operator runs it. */
export const loginBurst: Row = {
  name: 'login-burst',
  run: async ({ ground, rounds, isQuick }) => {
    const options = { users: 1, bcryptCost: BCRYPT_COST, place: 'anywhere' } as const;
    const parley = await startParley(ground, options);
    const handwritten = await startHandwritten(ground, options);
    const servers: Partial<Record<SubjectName, Subject>> = { parley, handwritten };
    try {
      const measured = await interleave(['handwritten', 'parley'], rounds, async (name) => {
        const subject = servers[name] ?? parley;
        await logIn(subject, 0);
        const idle = await pingsDuring(subject.child.url, sleep(isQuick ? 1500 : 4000));
        const burst = Promise.all(Array.from({ length: LOGINS }, () => logIn(subject, 0)));
        const busy = await pingsDuring(subject.child.url, burst);
        return {
          idleP99: percentile(idle, 0.99),
          busyP99: percentile(busy, 0.99),
          busyMax: percentile(busy, 1),
          ratio: percentile(busy, 0.99) / percentile(idle, 0.99),
          loginMs: Math.max(...(await burst)),
        };
      });
      const ratio = lineOf(measured, { key: 'ratio', title: 'Login burst: p99 ping ÷ an idle server’s', unit: '×' });
      const ours = ratio.values.parley ?? NaN;
      return [
        { ...ratio, judged: { of: '÷ idle', ratio: ours, goal: 3, better: 'lower' } },
        lineOf(measured, { key: 'idleP99', title: 'Idle: p99 ping', unit: 'ms' }),
        lineOf(measured, { key: 'busyP99', title: 'Login burst: p99 ping', unit: 'ms' }),
        lineOf(measured, { key: 'busyMax', title: 'Login burst: slowest ping', unit: 'ms' }),
        lineOf(measured, { key: 'loginMs', title: 'Login burst: the last login', unit: 'ms' }),
      ];
    } finally {
      await Promise.all([parley.child.stop(), handwritten.child.stop()]);
    }
  },
};
