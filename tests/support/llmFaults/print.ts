/**
 * `npm run faults:llm`: every fault at every door as a table, and the figures of silence and of clients that leave.
 * `npm run faults:llm -- doors=sse,socket only=stall parallel=8 trials=50 parts=table,cost,silence,leaving`
 */
import { DOORS, type DoorName } from './doors.ts';
import { runFaultTable, type Cell } from './faultTable.ts';
import { isFalseSuccess, isHang, printTable, problemsOf } from './judge.ts';
import { runLeaves, spreadOf, WAYS } from './leaving.ts';
import { CHEAP_FAULTS, FAULT_ROWS } from './rows.ts';
import { runSilence } from './silence.ts';

const given = new Map(process.argv.slice(2).map((argument) => argument.split('=') as [string, string]));
const doors = (given.get('doors')?.split(',') as DoorName[] | undefined) ?? DOORS;
const parts = (given.get('parts') ?? 'table,cost,silence,leaving').split(',');
const say = (text: string): void => void process.stdout.write(`${text}\n`);

const printFaults = async (): Promise<void> => {
  const rows = FAULT_ROWS.filter(({ mode }) => mode.includes(given.get('only') ?? ''));
  const startedAt = performance.now();
  const cells = await runFaultTable(rows, doors, Number(given.get('parallel') ?? 1));
  const problems = cells.flatMap(problemsOf);
  say(printTable(cells, doors));
  say('\nWhat the client saw · calls upstream · time to the first token, or to the end without one.');
  say('"whole": the model’s own answer; "next": the next model’s, and nothing of the fault.\n');
  say(`${String(cells.length)} cells in ${((performance.now() - startedAt) / 1000).toFixed(1)} s:`);
  say(`  ${String(cells.filter(isFalseSuccess).length)} truncated, blank or garbage answers as success`);
  say(`  ${String(cells.filter(isHang).length)} hangs`);
  say(`  ${String(problems.length)} broken promises`);
  for (const problem of problems) say(`  ! ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
};

/** Milliseconds to the first token: the middle of all. */
const middleOf = (cells: readonly Cell[]): number =>
  cells.map(({ seen }) => seen.firstMs ?? seen.ms).sort((a, b) => a - b)[Math.floor(cells.length / 2)] ?? NaN;

/** What a failure that says so costs: requests with and without one, in turns. */
const printCost = async (): Promise<void> => {
  const trials = Number(given.get('trials') ?? 50);
  const kinds = ['words:8', ...CHEAP_FAULTS];
  const wanted = kinds.map((kind) => FAULT_ROWS.find(({ mode }) => mode === kind)).filter((row) => row !== undefined);
  const rows = Array.from({ length: trials }, () => wanted.map((row) => ({ ...row }))).flat();
  say(`\nTo the first token, median of ${String(trials)}, one request at a time.`);
  for (const door of doors) {
    const cells = await runFaultTable(rows, [door], 1);
    const figures = kinds.map((kind) => middleOf(cells.filter(({ row }) => row.mode === kind)));
    const [well = NaN] = figures;
    const added = figures.slice(1).map((ms, index) => `${String(CHEAP_FAULTS[index])} ${(ms - well).toFixed(1)} more`);
    say(`  ${door.padEnd(10)} well ${well.toFixed(1)} ms; ${added.join(', ')}`);
  }
};

const printSilence = async (): Promise<void> => {
  say('\nA minute of silence of one of two models, ten times as fast; 20 requests.');
  for (const door of doors) {
    const { served, waited, calls, backAfterMs } = await runSilence(door);
    const scaledBack = ((backAfterMs * 10) / 1000).toFixed(1);
    const asked = `served ${String(served)}, waited ${String(waited)}, calls ${String(calls)}`;
    say(`  ${door.padEnd(10)} ${asked}, back after ${backAfterMs.toFixed(0)} ms (${scaledBack} s unscaled)`);
  }
};

const printLeaving = async (): Promise<void> => {
  const trials = Number(given.get('trials') ?? 50);
  say(`\nFrom a client’s leaving to the end of the upstream connection, ${String(trials)} times each.`);
  for (const way of WAYS) {
    const leaves = await runLeaves(way, trials);
    const { p50, p99 } = spreadOf(leaves);
    const calls = Math.max(...leaves.map((leave) => leave.calls));
    say(`  ${way.padEnd(36)} p50 ${String(p50)} ms, p99 ${String(p99)} ms, calls ${String(calls)}`);
  }
};

if (parts.includes('table')) await printFaults();
if (parts.includes('cost')) await printCost();
if (parts.includes('silence')) await printSilence();
if (parts.includes('leaving')) await printLeaving();
