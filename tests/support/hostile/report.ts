import type { FrameReport } from './frameRun.ts';
import type { HostileNode } from './hostileNode.ts';
import type { OriginReport } from './originRun.ts';
import type { RestReport } from './restRun.ts';

export interface Printing {
  readonly say: (line: string) => void;
  readonly seconds: number;
}

const percent = (part: number, whole: number): string => (whole === 0 ? '–' : `${((100 * part) / whole).toFixed(0)} %`);

/** Operations that no request of the run can satisfy, and why. */
/** Requests of an operation of which some must have been accepted, whatever the dice said. */
const ENOUGH = 200;
const NO_PROVIDER = 'the run has no OpenID provider; tests/integration/oidc.test.ts has one';
const OUT_OF_REACH: Readonly<Record<string, string>> = {
  beginSignIn: NO_PROVIDER,
  endSignIn: NO_PROVIDER,
  exchangeCode: NO_PROVIDER,
  linkIdentity: NO_PROVIDER,
  removeIdentity: NO_PROVIDER,
};

/** Prints what a run of requests came to; how many findings there were. */
export const printRest = (report: RestReport, node: HostileNode, { say, seconds }: Printing): number => {
  const { findings, statuses, operations, mutations, noAnswer } = report;
  const rows = [...operations].sort(([a], [b]) => a.localeCompare(b));
  const total = rows.reduce((sum, [, row]) => sum + row.total, 0);
  const accepted = rows.reduce((sum, [, row]) => sum + row.accepted, 0);
  say(`\n## ${String(report.requests)} requests in ${seconds.toFixed(0)} s`);
  for (const [id, row] of rows) {
    if (row.accepted > 0 || row.total < ENOUGH) continue;
    const why = OUT_OF_REACH[id];
    if (why === undefined) findings.add(`${id}: no request was accepted`, '');
    else say(`${id}: nothing was accepted: ${why}`);
  }
  say('operation                    requests  accepted  statuses');
  for (const [id, row] of rows) {
    const seen = row.sent.entries().map(([status, count]) => `${status}:${String(count)}`);
    say(
      `${id.padEnd(28)} ${String(row.total).padStart(8)} ${percent(row.accepted, row.total).padStart(9)}  ${seen.join(' ')}`,
    );
  }
  say(
    `mutations: ${mutations
      .entries()
      .map(([name, count]) => `${name} ${String(count)}`)
      .join(', ')}`,
  );
  say(
    `statuses: ${statuses
      .entries()
      .map(([status, count]) => `${status}: ${String(count)}`)
      .join(', ')}`,
  );
  say(
    `no answer: ${
      noAnswer
        .entries()
        .map(([why, count]) => `${why} ${String(count)}`)
        .join(', ') || 'never'
    }`,
  );
  const fives = statuses
    .entries()
    .filter(([status]) => Number(status) >= 500)
    .reduce((sum, [, count]) => sum + count, 0);
  say(
    `  ${String(total)} judged by the document, ${percent(accepted, total)} accepted, ${String(fives)} 5xx, ${node.isAlive() ? '0 crashes' : 'CRASHED'}`,
  );
  say(
    `  ${String(node.lines())} lines of log, ${String(node.answered())} answers in it, peak memory ${String(node.peakMb())} MB`,
  );
  findings.print(say);
  node.logFindings.print(say);
  return findings.all().length + node.logFindings.all().length;
};

const listOf = (entries: readonly (readonly [string, number])[]): string =>
  entries.map(([name, count]) => `${name} ${String(count)}`).join(', ') || 'none';

/** Prints what a run of frames came to; how many findings there were. */
export const printFrames = (report: FrameReport, node: HostileNode, { say, seconds }: Printing): number => {
  const { findings, read, barriers, unknown, ended, kinds, fairSends, slowestFairMs } = report;
  const total = read.entries().reduce((sum, [, count]) => sum + count, 0);
  say(`\n## ${String(total)} frames read in ${seconds.toFixed(0)} s`);
  say(`read: ${listOf(read.entries())}; valid ones behind them that were answered: ${listOf(barriers.entries())}`);
  say(`not counted, behind one that ended the connection: ${listOf(unknown.entries())}`);
  say(`kinds: ${listOf(kinds.entries())}`);
  say(`connections ended by: ${listOf(ended.entries())}`);
  say(
    `sends of the fair user that were answered to the end: ${String(fairSends)}; the slowest pair took ${slowestFairMs.toFixed(0)} ms`,
  );
  say(
    `  ${node.isAlive() ? '0 crashes' : 'CRASHED'}; ${String(node.answered())} events in the server’s log, peak memory ${String(node.peakMb())} MB`,
  );
  findings.print(say);
  node.logFindings.print(say);
  return findings.all().length + node.logFindings.all().length;
};

/** Prints what the hostile origins came to; how many findings there were. */
export const printOrigins = (report: OriginReport, { say, seconds }: Printing): number => {
  const { findings, origins, routes, requests, preflights, upgrades, controls } = report;
  say(`\n## ${String(origins)} hostile origins in ${seconds.toFixed(0)} s`);
  say(
    `${String(routes)} unsafe routes of the router table: ${String(requests)} requests with cookies, all but ${String(findings.all().length)} refused`,
  );
  say(
    `${String(preflights)} preflights without a CORS header, ${String(upgrades)} upgrades refused, ${String(controls)} controls from the allowed origin`,
  );
  findings.print(say);
  return findings.all().length;
};
