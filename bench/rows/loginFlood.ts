import { setTimeout as sleep } from 'node:timers/promises';
import { withClients } from '../support/drive.ts';
import type { Line, Row } from '../support/row.ts';
import { median, percentile, sum } from '../support/stats.ts';
import { startParley, type Subject } from '../support/subjects.ts';
import { modelOf, PACED_SLOWLY, question } from '../support/tokens.ts';

/** Other users' replies that are looked at while somebody guesses passwords. */
const STREAMS = 10;
const GUESSES_PER_SECOND = 20;
const OWNER_LOGIN_EVERY_MS = 1000;
/** What production has by default. */
const BCRYPT_COST = 12;

type Answered = Readonly<Record<string, number>>;

interface Attack {
  readonly name: 'calm' | 'oneAccount' | 'manyNames';
  /** Null: nobody guesses. */
  readonly nameOf: ((index: number) => string) | null;
}

const logIn = async (url: string, body: object, from: string): Promise<{ status: number; deviceToken?: string }> => {
  const response = await fetch(`${url}/api/auth/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-Forwarded-For': from },
    body: JSON.stringify({ session: 'token', ...body }),
  });
  const answered = (await response.json()) as { deviceToken?: string };
  return { status: response.status, ...answered };
};

let addresses = 0;
/** Every guess comes from another address: what is left is the limit per account, and what the hashing costs. */
const newAddress = (): string => {
  addresses += 1;
  return `198.18.${String((addresses >> 8) & 255)}.${String(addresses & 255)}`;
};

/** Sends wrong passwords at a steady rate, whether they are answered or not. @returns how many answers had each status */
const guess = async (url: string, nameOf: (index: number) => string, signal: AbortSignal): Promise<Answered> => {
  const statuses: Record<string, number> = {};
  const sent: Promise<void>[] = [];
  for (let index = 0; !signal.aborted; index += 1) {
    const body = { username: nameOf(index), password: `Wrong-Horse-${String(index)}` };
    sent.push(
      logIn(url, body, newAddress()).then(({ status }) => {
        statuses[status] = (statuses[status] ?? 0) + 1;
      }),
    );
    await sleep(1000 / GUESSES_PER_SECOND);
  }
  await Promise.all(sent);
  return statuses;
};

/** Milliseconds between two pieces of text of a reply, for replies that run one after the other. */
const gapsOf = (parley: Subject, signal: AbortSignal): Promise<number[]> =>
  withClients(parley, STREAMS, async (clients) => {
    const gaps: number[] = [];
    const loop = async (index: number): Promise<void> => {
      await sleep(index * 150);
      for (let count = 0; !signal.aborted; count += 1) {
        let before = NaN;
        const onText = (): void => {
          const now = performance.now();
          if (!Number.isNaN(before)) gaps.push(now - before);
          before = now;
        };
        await clients[index]?.send({ content: question((index + count) % 50), model: modelOf(PACED_SLOWLY), onText });
      }
    };
    await Promise.all(clients.map((_client, index) => loop(index)));
    return gaps;
  });

interface Owner {
  readonly username: string;
  readonly password: string;
  readonly deviceToken: string;
}

/** How long the owner's own logins take from the known device; a refused one counts as never. */
const ownerLogins = async (url: string, owner: Owner, signal: AbortSignal): Promise<number[]> => {
  const times: number[] = [];
  while (!signal.aborted) {
    const startedAt = performance.now();
    const { status } = await logIn(url, owner, '203.0.113.7');
    times.push(status === 200 ? performance.now() - startedAt : Infinity);
    await sleep(OWNER_LOGIN_EVERY_MS);
  }
  return times;
};

interface Seen {
  readonly gapP99: number;
  readonly gapMax: number;
  readonly ownerMax: number;
  readonly refusedOwner: number;
  readonly statuses: Answered;
}

const measure = async (parley: Subject, owner: Owner, { nameOf }: Attack, windowMs: number): Promise<Seen> => {
  const { url } = parley.child;
  const over = new AbortController();
  const flood = nameOf ? guess(url, nameOf, over.signal) : Promise.resolve({});
  // The queue of guesses is full before anything is measured.
  await sleep(nameOf ? 2000 : 500);
  const own = nameOf ? ownerLogins(url, owner, over.signal) : Promise.resolve([]);
  const gaps = gapsOf(parley, over.signal);
  await sleep(windowMs);
  over.abort();
  const [statuses, found, times] = await Promise.all([flood, gaps, own]);
  return {
    gapP99: percentile(found, 0.99),
    gapMax: percentile(found, 1),
    ownerMax: Math.max(...times),
    refusedOwner: times.filter((time) => time === Infinity).length,
    statuses,
  };
};

/** What somebody who guesses passwords does to others: tokens that come late, and owners who do not get in. */
export const loginFlood: Row = {
  name: 'login-flood',
  run: async ({ ground, rounds, isQuick, log }) => {
    const env = { TRUST_PROXY: '1' };
    const parley = await startParley(ground, { users: STREAMS, bcryptCost: BCRYPT_COST, place: 'anywhere', env });
    const [account] = parley.accounts;
    if (!account) throw new Error('there is no account');
    const { username, password } = account;
    const { deviceToken = '' } = await logIn(parley.child.url, { username, password }, newAddress());
    const owner = { username, password, deviceToken };
    const attacks: readonly Attack[] = [
      { name: 'calm', nameOf: null },
      { name: 'oneAccount', nameOf: () => username },
      { name: 'manyNames', nameOf: (index) => `nobody_${String(index)}` },
    ];
    const seen = new Map<Attack['name'], Seen[]>(attacks.map(({ name }) => [name, []]));
    try {
      for (let round = 0; round < rounds; round += 1) {
        for (const attack of attacks) {
          const figures = await measure(parley, owner, attack, isQuick ? 3000 : 8000);
          log(`   ${attack.name}: ${JSON.stringify(figures)}`);
          seen.get(attack.name)?.push(figures);
        }
      }
    } finally {
      await parley.child.stop();
    }
    const of = (name: Attack['name'], key: 'gapP99' | 'gapMax' | 'ownerMax' | 'refusedOwner'): number[] =>
      (seen.get(name) ?? []).map((figures) => figures[key]);
    const line = (title: string, unit: string, values: readonly number[]): Line => ({
      title: `Login flood: ${title}`,
      unit,
      values: { parley: median([...values]) },
      rounds: { parley: values },
    });
    const ratios = (name: Attack['name']): number[] =>
      of(name, 'gapP99').map((value, round) => value / (of('calm', 'gapP99')[round] ?? NaN));
    const judged = (name: Attack['name']): Line['judged'] => ({
      of: '÷ calm',
      ratio: median(ratios(name)),
      goal: 1.5,
      better: 'lower',
    });
    return [
      line('p99 token gap, calm', 'ms', of('calm', 'gapP99')),
      { ...line('p99 token gap, one account', 'ms', of('oneAccount', 'gapP99')), judged: judged('oneAccount') },
      { ...line('p99 token gap, changing names', 'ms', of('manyNames', 'gapP99')), judged: judged('manyNames') },
      line('the owner’s slowest login, one account', 'ms', of('oneAccount', 'ownerMax')),
      line('the owner’s slowest login, changing names', 'ms', of('manyNames', 'ownerMax')),
      {
        ...line('refused logins of the owner', '', []),
        values: { parley: sum([...of('oneAccount', 'refusedOwner'), ...of('manyNames', 'refusedOwner')]) },
      },
    ];
  },
};
