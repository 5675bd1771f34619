/**
 * `npm run bench`: Parley against a bare relay and a hand-written server, in the same run on this machine.
 *   --quick         one short round of each row: whether it works, not what it measures
 *   --only <row>    one row (may be given several times)
 *   --rounds <n>    how many rounds; 3 unless told, 1 with --quick
 *   --dist <folder> another build than dist
 * docs/benchmarks.md says what each row means.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { burst } from './rows/burst.ts';
import { firstToken } from './rows/firstToken.ts';
import { lag } from './rows/lag.ts';
import { loginBurst } from './rows/loginBurst.ts';
import { loginFlood } from './rows/loginFlood.ts';
import { longChat } from './rows/longChat.ts';
import { replyLog } from './rows/replyLog.ts';
import { openai } from './rows/openai.ts';
import { memory } from './rows/memory.ts';
import { paced } from './rows/paced.ts';
import { canPin, pinSelf, stopAll } from './support/processes.ts';
import { toMarkdown } from './support/report.ts';
import { isMet, type Bench, type Line, type Row } from './support/row.ts';
import {
  overSse,
  overOpenAi,
  startExpressPipe,
  startHandwritten,
  startParley,
  startPipe,
  startRelay,
  startUpstream,
  type Ground,
} from './support/subjects.ts';

const ROWS: readonly Row[] = [
  burst,
  paced,
  firstToken,
  lag,
  longChat,
  openai,
  replyLog,
  memory,
  loginBurst,
  loginFlood,
];
const USERS = 100;
/** Whatever hangs, the run ends. */
const LONGEST_MS = 30 * 60_000;

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [] },
    rounds: { type: 'string' },
    dist: { type: 'string' },
  },
});

const ROOT = join(import.meta.dirname, '..');
const RESULTS = join(import.meta.dirname, 'results');

const log = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

/** A copy of the build, next to a link to its packages: whoever builds anew in the midst of a run changes no figure. */
const copyBuild = (directory: string): string => {
  if (options.dist === undefined) {
    const build = spawnSync(process.execPath, [join(ROOT, 'scripts', 'build.mjs')], { stdio: ['ignore', 2, 2] });
    if (build.status !== 0) throw new Error('the build failed');
  }
  const dist = join(directory, 'dist');
  cpSync(resolve(options.dist ?? join(ROOT, 'dist')), dist, { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(directory, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  return dist;
};

const createBench = (ground: Ground): Bench => {
  const start = async () => {
    log(`starting the servers, ${String(USERS)} users each`);
    const [relay, pipe, expressPipe, handwritten, parley] = await Promise.all([
      startRelay(ground, { users: 0 }),
      startPipe(ground, { users: 0 }),
      startExpressPipe(ground, { users: 0 }),
      startHandwritten(ground, { users: USERS }),
      startParley(ground, { users: USERS }),
    ]);
    return {
      relay,
      pipe,
      'express-pipe': expressPipe,
      handwritten,
      parley,
      'parley-sse': overSse(parley),
      'parley-v1': overOpenAi(parley),
    };
  };
  let started: ReturnType<typeof start> | null = null;
  return {
    ground,
    isQuick: options.quick,
    rounds: Number(options.rounds ?? (options.quick ? 1 : 3)),
    subjects: () => (started ??= start()),
    log,
  };
};

const runRows = async (bench: Bench): Promise<Line[]> => {
  const wanted = ROWS.filter(({ name }) => options.only.length === 0 || options.only.includes(name));
  if (wanted.length === 0) throw new Error(`rows are: ${ROWS.map(({ name }) => name).join(', ')}`);
  const lines: Line[] = [];
  for (const row of wanted) {
    const startedAt = Date.now();
    log(`── ${row.name}`);
    try {
      const made = await row.run(bench);
      lines.push(...made);
      for (const { title, judged } of made) {
        if (judged) log(`   ${title}: ${judged.ratio.toFixed(2)} ${judged.of}, ${isMet(judged) ? 'met' : 'MISSED'}`);
      }
    } catch (error) {
      // The other rows are worth having.
      log(`   could not be measured: ${error instanceof Error ? (error.stack ?? '') : String(error)}`);
      process.exitCode = 1;
    }
    log(`   ${((Date.now() - startedAt) / 1000).toFixed(0)} s`);
  }
  return lines;
};

const main = async (): Promise<void> => {
  const startedAt = new Date();
  mkdirSync(RESULTS, { recursive: true });
  const directory = mkdtempSync(join(RESULTS, 'run-'));
  try {
    const dist = copyBuild(directory);
    pinSelf('load');
    const upstream = await startUpstream(directory);
    const bench = createBench({ dist, directory, upstreamUrl: upstream.url });
    const lines = await runRows(bench);
    const seconds = (Date.now() - startedAt.getTime()) / 1000;
    const about = { rounds: bench.rounds, isQuick: bench.isQuick, isPinned: canPin, startedAt, seconds };
    const markdown = toMarkdown(lines, about);
    const file = join(RESULTS, startedAt.toISOString().slice(0, 19).replace(/:/g, '-'));
    writeFileSync(`${file}.md`, markdown);
    writeFileSync(`${file}.json`, `${JSON.stringify({ ...about, node: process.version, lines }, null, 2)}\n`);
    process.stdout.write(markdown);
  } finally {
    await stopAll();
    if (existsSync(directory) && process.env.BENCH_KEEP === undefined)
      rmSync(directory, { recursive: true, force: true });
  }
};

const stopEarly = async (why: string): Promise<void> => {
  log(why);
  await stopAll();
  process.exit(1);
};
process.once('SIGINT', () => void stopEarly('interrupted'));
process.once('SIGTERM', () => void stopEarly('interrupted'));
setTimeout(() => void stopEarly('too long'), LONGEST_MS).unref();
await main();
process.exit();
