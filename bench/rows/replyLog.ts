import { drive } from '../support/drive.ts';
import type { Bench, Line, Row } from '../support/row.ts';
import { interleave, lineOf } from '../support/rounds.ts';
import { startParley, type Subject } from '../support/subjects.ts';
import { BURST, PACED } from '../support/tokens.ts';

const USERS = 100;
const NAMES = ['parley', 'parley-second', 'parley-end'] as const;
type Name = (typeof NAMES)[number];

/** The same server three times, with each way to store the text of running replies. */
const startAll = async ({ ground }: Bench): Promise<Readonly<Record<Name, Subject>>> => {
  const start = async (name: Name, mode: string): Promise<Subject> => ({
    ...(await startParley(ground, { users: USERS, env: { REPLY_LOG: mode } })),
    name,
  });
  return {
    parley: await start('parley', 'tick'),
    'parley-second': await start('parley-second', 'second'),
    'parley-end': await start('parley-end', 'end'),
  };
};

/** What "shown means stored" costs on SQLite, against a node that stores once a second, or only the end of a reply. */
export const replyLog: Row = {
  name: 'reply-log',
  run: async (bench) => {
    const { rounds, isQuick } = bench;
    const all = await startAll(bench);
    const windowMs = isQuick ? 2000 : 5000;
    const lines: Line[] = [];
    try {
      for (const [what, pace, clients] of [
        ['Burst', BURST, 50],
        ['Paced', PACED, 100],
      ] as const) {
        const measured = await interleave(NAMES, rounds, async (name) => {
          const driven = await drive({ subject: all[name], clients, pace, warmUpMs: 1500, windowMs });
          return {
            cpuMsPerReply: driven.cpuUs / 1000 / (driven.tokens / pace.tokens),
            repliesPerSecond: driven.replies / driven.seconds,
          };
        });
        const title = `REPLY_LOG, ${what.toLowerCase()}`;
        lines.push(lineOf(measured, { key: 'cpuMsPerReply', title: `${title}: CPU per reply`, unit: 'ms' }));
        lines.push(lineOf(measured, { key: 'repliesPerSecond', title: `${title}: replies per second`, unit: '1/s' }));
      }
    } finally {
      for (const { child } of Object.values(all)) await child.stop();
    }
    return lines;
  },
};
