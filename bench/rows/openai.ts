import { setTimeout as sleep } from 'node:timers/promises';
import { connectDirect, overOpenAi, startParley, startPipe, type Subject } from '../support/subjects.ts';
import { drive, withClients } from '../support/drive.ts';
import { firstTokens } from './firstToken.ts';
import type { Bench, Line, Row } from '../support/row.ts';
import { interleave, lineOf, type LineOptions } from '../support/rounds.ts';
import { percentile } from '../support/stats.ts';
import { BURST, modelOf, PACED_SLOWLY, question, WAITING, type Pace } from '../support/tokens.ts';

const NAMES = ['pipe', 'parley-v1'] as const;
/** For each request: what the packages cost that Parley stands on, before it does anything. */
const PER_REQUEST = ['pipe', 'express-pipe', 'parley-v1'] as const;
const STREAMS = 50;
/** Answers without a pause for so long, and V8 has compiled what they need: a server that is up for hours has done so too. */
const WARM_UP_MS = 40_000;
const OPEN_STREAMS = 500;

const judged = (measured: Parameters<typeof lineOf>[0], goal: number, line: Omit<LineOptions, 'goal'>): Line =>
  lineOf(measured, { ...line, subject: 'parley-v1', goal: { base: 'pipe', goal, better: 'lower' } });

/** Microseconds of the server's CPU for each token, with fifty clients. */
const cpuPerToken = async ({ subjects, rounds, isQuick }: Bench, pace: Pace) => {
  const all = await subjects();
  return interleave(PER_REQUEST, rounds, async (name) => {
    const windowMs = isQuick ? 2000 : 6000;
    const driven = await drive({ subject: all[name], clients: STREAMS, pace, warmUpMs: 1500, windowMs });
    return { cpuUs: driven.cpuUs / driven.tokens };
  });
};

const warmUp = async ({ subjects, isQuick }: Bench): Promise<void> => {
  const all = await subjects();
  const windowMs = isQuick ? 1000 : WARM_UP_MS;
  for (const name of PER_REQUEST) {
    await drive({ subject: all[name], clients: STREAMS, pace: BURST, warmUpMs: 0, windowMs });
  }
};

const added = async ({ ground, subjects, rounds, isQuick }: Bench) => {
  const all = await subjects();
  const count = isQuick ? 60 : 150;
  return interleave(PER_REQUEST, rounds, async (name) => {
    const direct = await connectDirect(ground);
    const base = await firstTokens(direct, count);
    direct.close();
    const times = await withClients(all[name], 1, ([client]) =>
      client ? firstTokens(client, count) : Promise.resolve([]),
    );
    return { p50: percentile(times, 0.5) - percentile(base, 0.5) };
  });
};

/** Resident bytes once everything that can be collected was. */
const settledRss = async ({ child }: Subject): Promise<number> => {
  await child.probe();
  await sleep(300);
  return child.rssBytes();
};

/** What an open stream costs while its model is slow. A fresh server for each round. */
const openStreams = async ({ ground, rounds, isQuick }: Bench) => {
  const streams = isQuick ? 100 : OPEN_STREAMS;
  const options = { users: 20, hasProbe: true };
  return interleave(NAMES, rounds, async (name) => {
    const subject = name === 'pipe' ? await startPipe(ground, options) : overOpenAi(await startParley(ground, options));
    try {
      return await withClients(subject, streams, async (clients) => {
        // What the first answers load is not what each costs.
        await Promise.all(
          clients.slice(0, 50).map((client) => client.send({ content: question(0), model: modelOf(BURST) })),
        );
        const before = await settledRss(subject);
        const sent = clients.map((client, at) => client.send({ content: question(at % 50), model: modelOf(WAITING) }));
        await sleep(2000);
        const during = await settledRss(subject);
        await Promise.all(sent);
        return { rssKb: (during - before) / streams / 1024 };
      });
    } finally {
      await subject.child.stop();
    }
  });
};

/** The OpenAI-compatible door against a bare pipe of bytes, which is the least that anything in its place could cost. */
export const openai: Row = {
  name: 'openai',
  run: async (bench) => {
    await warmUp(bench);
    return [
      judged(await cpuPerToken(bench, PACED_SLOWLY), 1.25, {
        key: 'cpuUs',
        title: '/v1, 50 streams, 20 ms a token: CPU per token',
        unit: 'µs',
      }),
      judged(await cpuPerToken(bench, BURST), 2, { key: 'cpuUs', title: '/v1, bursts: CPU per token', unit: 'µs' }),
      judged(await added(bench), 1.5, { key: 'p50', title: '/v1: time to first token, added, p50', unit: 'ms' }),
      judged(await openStreams(bench), 1.5, { key: 'rssKb', title: '/v1, 500 open streams: RSS each', unit: 'KB' }),
    ];
  },
};
