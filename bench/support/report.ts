import { cpus } from 'node:os';
import { isMet, type Line } from './row.ts';

const COLUMNS = [
  ['parley', 'Parley'],
  ['parley-sse', 'Parley, SSE'],
  ['parley-v1', 'Parley, /v1'],
  ['parley-second', 'REPLY_LOG=second'],
  ['parley-end', 'REPLY_LOG=end'],
  ['relay', 'bare relay'],
  ['handwritten', 'hand-written'],
  ['pipe', 'bare pipe'],
  ['express-pipe', 'pipe in Express'],
] as const;

const digits = (value: number): string => {
  if (Math.abs(value) >= 100) return String(Math.round(value));
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
};

const cell = (value: number | undefined): string => (value === undefined || Number.isNaN(value) ? '' : digits(value));

const judgement = ({ judged }: Line): readonly [string, string, string] => {
  if (!judged) return ['', '', ''];
  const goal = `${judged.better === 'higher' ? '≥' : '≤'} ${String(judged.goal)}`;
  return [`**${digits(judged.ratio)}** ${judged.of}`, goal, isMet(judged) ? 'met' : '**missed**'];
};

export interface About {
  readonly rounds: number;
  readonly isQuick: boolean;
  readonly isPinned: boolean;
  readonly startedAt: Date;
  readonly seconds: number;
}

/** The table as Markdown. */
export const toMarkdown = (lines: readonly Line[], about: About): string => {
  const columns = COLUMNS.filter(([name]) => lines.some(({ values }) => values[name] !== undefined));
  const head = ['What', 'unit', ...columns.map(([, title]) => title), 'judged', 'goal', ''];
  const rows = lines.map((line) => [
    line.title,
    line.unit,
    ...columns.map(([name]) => cell(line.values[name])),
    ...judgement(line),
  ]);
  const table = [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
  const machine = `${String(cpus().length)} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}`;
  const how = [
    machine,
    `${about.isQuick ? 'quick run, ' : ''}medians of ${String(about.rounds)} interleaved rounds`,
    about.isPinned ? 'server on one core, load and model on another' : 'not pinned to cores',
    `${about.startedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC, ${String(Math.round(about.seconds))} s`,
  ];
  return `${table}\n\n${how.join('; ')}.\n`;
};
