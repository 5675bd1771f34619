/**
 * `npm run hostile`: hostile requests, frames and origins against a server in a process of its own, with their counts.
 * `SEED=7 npm run hostile -- requests=50000 frames=100000 parallel=6 only=rest,frames,origins`
 */
import { startHostileNode } from './hostileNode.ts';
import { runFrames } from './frameRun.ts';
import { readRouterTable, runOrigins } from './originRun.ts';
import { printFrames, printOrigins, printRest } from './report.ts';
import { runRest } from './restRun.ts';

const given = new Map(process.argv.slice(2).map((argument) => argument.split('=') as [string, string]));
const numberOf = (name: string, fallback: number): number => Number(given.get(name) ?? fallback);
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
const wanted = (given.get('only') ?? 'rest,frames,origins').split(',');
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const tell = (text: string): void => void process.stderr.write(`${text}\n`);

let problems = 0;

const rest = async (): Promise<void> => {
  const node = await startHostileNode();
  const requests = numberOf('requests', 50_000);
  const startedAt = performance.now();
  const report = await runRest({
    url: node.url,
    seed,
    requests,
    parallel: numberOf('parallel', 6),
    mailTokens: node.mailTokens,
    isAlive: node.isAlive,
    onProgress: (done) => tell(`rest: ${String(done)} of ${String(requests)}, ${String(node.peakMb())} MB`),
  });
  problems += printRest(report, node, { say, seconds: (performance.now() - startedAt) / 1000 });
  say(`  exit code at the end: ${String(await node.stop())}`);
};

const frames = async (): Promise<void> => {
  const node = await startHostileNode();
  const wantedFrames = numberOf('frames', 100_000);
  const startedAt = performance.now();
  const report = await runFrames({
    url: node.url,
    seed,
    frames: wantedFrames,
    isAlive: node.isAlive,
    onProgress: (done) => tell(`frames: ${String(done)} of ${String(wantedFrames)}, ${String(node.peakMb())} MB`),
  });
  problems += printFrames(report, node, { say, seconds: (performance.now() - startedAt) / 1000 });
  say(`  exit code at the end: ${String(await node.stop())}`);
};

const origins = async (): Promise<void> => {
  const node = await startHostileNode();
  const startedAt = performance.now();
  const report = await runOrigins(node.url, await readRouterTable());
  problems += printOrigins(report, { say, seconds: (performance.now() - startedAt) / 1000 });
  say(`  exit code at the end: ${String(await node.stop())}`);
};

say(`# Hostile input, ${new Date().toISOString()}, SEED=${String(seed)}, Node ${process.version}`);
if (wanted.includes('rest')) await rest();
if (wanted.includes('frames')) await frames();
if (wanted.includes('origins')) await origins();
say(problems === 0 ? '\nNothing was found.' : `\n${String(problems)} findings.`);
process.exitCode = problems === 0 ? 0 : 1;
