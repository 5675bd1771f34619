/**
 * `npm run faults`: the long version of what `npm test` does in short, with its figures.
 * `npm run faults -- kills=200 mongoKills=50 rounds=10 cuts=200 deploys=20 seed=1 only=kills,points,cuts,deploys db=sqlite`
 */
import { cpus } from 'node:os';
import { runCuts } from '../support/faults/cuts.ts';
import { runDeploys } from '../support/faults/deploys.ts';
import { createFaultWorld, type FaultWorld, type FaultWorldOptions } from '../support/faults/faultWorld.ts';
import { dieAt, KILL_POINTS } from '../support/faults/killPoints.ts';
import { runRandomKills } from '../support/faults/kills.ts';
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

const report = (title: string, verdict: { violations: readonly string[] } & object, lines: readonly string[]): void => {
  const { violations } = verdict;
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
  readonly kills: number;
  readonly nodes: number;
}

const points = ({ database, env }: Place): Promise<void> =>
  inWorld({ env: env() }, async (world) => {
    const rounds = numberOf('rounds', 10);
    await world.nodes[0]!.start();
    const account = await world.signUp();
    await world.nodes[0]!.kill();
    const wrong: string[] = [];
    for (let round = 0; round < rounds; round += 1) {
      for (const point of KILL_POINTS) {
        const result = await dieAt(world, account, point);
        if (result.problems.length > 0) wrong.push(`other: ${JSON.stringify(result)}`);
      }
    }
    await world.nodes[0]!.start();
    const verdict = await world.verify();
    report(
      `${String(KILL_POINTS.length)} kill points × ${String(rounds)} on ${database}`,
      { violations: [...verdict.violations, ...wrong] },
      [
        `sends ${String(verdict.sends)}, acknowledged ${String(verdict.acked)}, not as the point promises ${String(wrong.length)}`,
      ],
    );
  });

const kills = ({ database, env, kills: number }: Place): Promise<void> =>
  inWorld({ env: env() }, async (world) => {
    const result = await runRandomKills(world, { seed, kills: number, clients: 8 });
    report(`${String(number)} random kills on ${database}`, result, [
      `kills ${String(result.kills)} (${String(result.killsWhileStarting)} more while starting), replies running at them ${String(result.runningAtKills)}`,
      `sends ${String(result.sends)}, acknowledged ${String(result.acked)}, replies ${String(result.replies)} (interrupted ${String(result.interrupted)})`,
      `units of text shown ${String(result.shownUnits)}, model calls ${String(result.upstreamCalls)}`,
      `time to ready: ${spread(result.readyMs)}`,
      `time from ready until every running reply was closed: ${spread(result.closedMs)}`,
    ]);
  });

const cuts = ({ database, env }: Place): Promise<void> =>
  inWorld({ env: env() }, async (world) => {
    const result = await runCuts(world, { seed, cuts: numberOf('cuts', 200), clients: 8 });
    report(`${String(result.cuts)} cut connections on ${database}`, result, [
      `replies ${String(result.replies)} (interrupted ${String(result.interrupted)}), model calls ${String(result.upstreamCalls)}, units shown ${String(result.shownUnits)}`,
    ]);
  });

const deploys = ({ database, env, nodes }: Place): Promise<void> =>
  inWorld({ env: env(), nodes }, async (world) => {
    const result = await runDeploys(world, { seed, restarts: numberOf('deploys', 20), clients: 8 });
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
const mongodb = await startMongodb();
const places: Place[] = [{ database: 'SQLite', env: () => ({}), kills: numberOf('kills', 200), nodes: 1 }];
if (mongodb) {
  const env = () => ({ MONGODB_URI: mongodb.newDatabase() });
  places.push({ database: `MongoDB (${mongodb.kind})`, env, kills: numberOf('mongoKills', 50), nodes: 2 });
} else print(`MongoDB skipped: ${HOW_TO_GET_MONGODB}`);

const here = places.filter(({ database }) => database.toLowerCase().startsWith(given.get('db') ?? ''));
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
