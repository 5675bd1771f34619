/**
 * `npm run faults`: the long version of what `npm test` does in short, with its figures.
 * `npm run faults -- rounds=10 mongoRounds=2 kills=200 mongoKills=50 cuts=1000 deploys=20 seed=1 only=kills,points,cuts,deploys db=sqlite`
 */
import { cpus } from 'node:os';
import { runCuts } from '../support/faults/cuts.ts';
import { runDeploys } from '../support/faults/deploys.ts';
import {
  createFaultWorld,
  type FaultWorld,
  type FaultWorldOptions,
  type Verdict,
} from '../support/faults/faultWorld.ts';
import { dieAtEach, KILL_POINTS } from '../support/faults/killPoints.ts';
import { runRandomKills, type KillReport } from '../support/faults/kills.ts';
import { HOW_TO_GET_MONGODB, startMongodb } from '../support/mongodb.ts';

const given = new Map(process.argv.slice(2).map((argument) => argument.split('=') as [string, string]));
const numberOf = (name: string, fallback: number): number => Number(given.get(name) ?? fallback);
const seed = numberOf('seed', Date.now() % 1_000_000);
const wanted = (given.get('only') ?? 'points,kills,cuts,deploys').split(',');

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const rounded = (value: number): string => String(Math.round(value));
/** Median, 95th percentile and maximum. */
const spread = (values: readonly number[]): string => {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): string =>
    rounded(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return `median ${at(0.5)}, p95 ${at(0.95)}, max ${at(1)} ms`;
};

const problems: string[] = [];
const count = (violations: readonly string[], kinds: readonly string[]): number =>
  violations.filter((violation) => kinds.some((kind) => violation.startsWith(`${kind}:`))).length;

const report = (title: string, { violations }: Pick<Verdict, 'violations'>, lines: readonly string[]): void => {
  print(`\n## ${title}`);
  for (const line of lines) print(line);
  print(`lost ${String(count(violations, ['lost', 'unanswered', 'refused']))}`);
  print(`taken back ${String(count(violations, ['taken back', 'torn', 'gap', 'two ends', 'changed']))}`);
  print(`doubled or invented ${String(count(violations, ['doubled', 'invented', 'order', 'replies', 'misplaced']))}`);
  print(`stuck ${String(count(violations, ['stuck']))}`);
  problems.push(...violations.map((violation) => `${title}: ${violation}`));
};

const inWorld = async (
  options: Omit<FaultWorldOptions, 'seed'>,
  run: (world: FaultWorld) => Promise<void>,
): Promise<void> => {
  const world = await createFaultWorld({ ...options, seed });
  try {
    await run(world);
  } finally {
    await world.dispose();
  }
};

interface Place {
  readonly database: string;
  readonly env: () => Readonly<Record<string, string>>;
  readonly isEmbedded: boolean;
  readonly rounds: number;
  readonly kills: number;
  readonly nodes: number;
}

/** Worlds at a time: on MongoDB each death costs the 15 seconds of a lease, most of them spent idle. */
const PARALLEL = 5;

/** The points, dealt out to so many hands. */
const deal = (hands: number): (typeof KILL_POINTS)[] =>
  Array.from({ length: hands }, (_, hand) => KILL_POINTS.filter((_point, index) => index % hands === hand));

const points = async ({ database, env, rounds, isEmbedded }: Place): Promise<void> => {
  const violations: string[] = [];
  const counts = { sends: 0, acked: 0, wrong: 0 };
  const play = (hand: typeof KILL_POINTS): Promise<void> =>
    inWorld({ env: env(), tokenDelayMs: 5 }, async (world) => {
      const results = await dieAtEach(world, Array(rounds).fill(hand).flat() as typeof hand);
      const wrong = results.filter(({ problems: found }) => found.length > 0);
      const verdict = await world.verify();
      violations.push(...verdict.violations, ...wrong.map((result) => `other: ${JSON.stringify(result)}`));
      counts.sends += verdict.sends;
      counts.acked += verdict.acked;
      counts.wrong += wrong.length;
    });
  await Promise.all(deal(isEmbedded ? 1 : PARALLEL).map(play));
  report(`${String(KILL_POINTS.length)} kill points × ${String(rounds)} on ${database}`, { violations }, [
    `sends ${String(counts.sends)}, acknowledged ${String(counts.acked)}, not as the point promises ${String(counts.wrong)}`,
  ]);
};

const kills = async ({ database, env, kills: number, isEmbedded }: Place): Promise<void> => {
  const worlds = isEmbedded ? 1 : PARALLEL;
  const reports: KillReport[] = [];
  const play = (world: number): Promise<void> =>
    inWorld({ env: env() }, async (made) => {
      const share = Math.ceil(number / worlds);
      reports.push(await runRandomKills(made, { seed: seed + world, kills: share, clients: isEmbedded ? 8 : 4 }));
    });
  await Promise.all(Array.from({ length: worlds }, (_, world) => play(world)));
  const sum = (valueOf: (result: KillReport) => number): string =>
    String(reports.reduce((total, result) => total + valueOf(result), 0));
  const all = (valuesOf: (result: KillReport) => readonly number[]): string => spread(reports.flatMap(valuesOf));
  report(
    `${sum((result) => result.kills)} random kills on ${database}`,
    { violations: reports.flatMap(({ violations }) => violations) },
    [
      `kills ${sum((result) => result.kills)} (${sum((result) => result.killsWhileStarting)} more while starting), replies running at them ${sum((result) => result.runningAtKills)}`,
      `sends ${sum((result) => result.sends)}, acknowledged ${sum((result) => result.acked)}, replies ${sum((result) => result.replies)} (interrupted ${sum((result) => result.interrupted)})`,
      `units of text shown ${sum((result) => result.shownUnits)}, model calls ${sum((result) => result.upstreamCalls)}`,
      `time to ready: ${all((result) => result.readyMs)}`,
      `time from ready until every running reply was closed: ${all((result) => result.closedMs)}`,
    ],
  );
};

const cuts = ({ database, env }: Place): Promise<void> =>
  inWorld({ env: env() }, async (world) => {
    const result = await runCuts(world, { seed, cuts: numberOf('cuts', 1000), clients: 8 });
    report(`${String(result.cuts)} cut connections on ${database}`, result, [
      `replies ${String(result.replies)} (interrupted ${String(result.interrupted)}), model calls ${String(result.upstreamCalls)}, units shown ${String(result.shownUnits)}`,
    ]);
  });

const deploys = ({ database, env, nodes, isEmbedded }: Place): Promise<void> =>
  inWorld({ env: env(), nodes }, async (world) => {
    // FerretDB scans for want of indexes: each message makes every later one slower.
    const clients = isEmbedded ? 8 : 4;
    const result = await runDeploys(world, { seed, restarts: numberOf('deploys', 20), clients });
    const bad = result.exits.filter(({ code, ms }) => code !== 0 || ms > 25_000);
    report(`${String(result.restarts)} rolling restarts of ${String(nodes)} node(s) on ${database}`, result, [
      `sends ${String(result.sends)}, acknowledged ${String(result.acked)}, interrupted ${String(result.interrupted)}`,
      `exit codes other than 0, or over 25 s: ${String(bad.length)}; time to exit: ${spread(result.exits.map(({ ms }) => ms))}`,
    ]);
    if (bad.length > 0) problems.push(`${database}: ${JSON.stringify(bad)}`);
  });

const SECTIONS = { points, kills, cuts, deploys };

print(`# Faults, ${new Date().toISOString()}, seed ${String(seed)}`);
print(`${String(cpus().length)} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}`);
const onlyOn = given.get('db') ?? '';
const mongodb = onlyOn === 'sqlite' ? null : await startMongodb();
const places: Place[] = [
  {
    database: 'SQLite',
    env: () => ({}),
    isEmbedded: true,
    rounds: numberOf('rounds', 10),
    kills: numberOf('kills', 200),
    nodes: 1,
  },
];
if (mongodb) {
  places.push({
    database: `MongoDB (${mongodb.kind})`,
    env: () => ({ MONGODB_URI: mongodb.newDatabase() }),
    isEmbedded: false,
    rounds: numberOf('mongoRounds', 2),
    kills: numberOf('mongoKills', 50),
    nodes: 2,
  });
} else if (onlyOn === '') print(`MongoDB skipped: ${HOW_TO_GET_MONGODB}`);

const here = places.filter(({ database }) => database.toLowerCase().startsWith(onlyOn));
for (const [name, run] of Object.entries(SECTIONS).filter(([section]) => wanted.includes(section))) {
  // What the wire does to a connection does not depend on the database.
  for (const place of name === 'cuts' ? here.slice(0, 1) : here) await run(place);
}
await mongodb?.stop();
print(
  problems.length === 0
    ? '\nEvery promise was kept.'
    : `\n${problems.join('\n')}\n\n${String(problems.length)} broken promises.`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
