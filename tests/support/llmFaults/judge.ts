import type { Cell } from './faultTable.ts';
import type { DoorName, Seen } from './doors.ts';
import { HEALTHY_TEXT, type Expected } from './rows.ts';

const isOpenAi = (door: DoorName): boolean => door.startsWith('v1');
/** Nothing of an answer reaches anybody before its end, so that another model may begin it anew. */
const isUnseen = (door: DoorName): boolean => door === 'v1-plain';

const CODES = {
  caller: { native: 'MODEL_REFUSED', openAi: 'model_refused' },
  context: { native: 'CONTEXT_TOO_LONG', openAi: 'context_length_exceeded' },
  account: { native: 'LLM_UNAVAILABLE', openAi: 'overloaded' },
} as const;

const short = (value: unknown): string => JSON.stringify(value).slice(0, 80);
const check = (name: string, actual: unknown, expected: unknown): string[] =>
  actual === expected ? [] : [`${name}: ${short(actual)} instead of ${short(expected)}`];

const complete = ({ seen, calls, stored }: Cell, text: string, finish: string, cost: string): string[] => [
  ...check('state', seen.state, 'complete'),
  ...check('text', seen.text, text),
  ...check('finish', seen.finish, finish),
  ...check('calls', calls.join('+'), cost),
  ...(stored === null
    ? []
    : [...check('stored', stored.status, 'complete'), ...check('stored text', stored.content, text)]),
];

const refused = ({ seen, door, calls, stored }: Cell, by: keyof typeof CODES): string[] => [
  ...check('state', seen.state, 'refused'),
  ...check('code', seen.code, CODES[by][isOpenAi(door) ? 'openAi' : 'native']),
  ...check('calls', calls.join('+'), '1+0'),
  ...(stored === null
    ? []
    : [...check('stored', stored.status, 'failed'), ...check('stored text', stored.content, '')]),
];

/** As far as it must have come: a reset may have swallowed the end of it. */
const isKept = (actual: string, text: string, isTorn: boolean): boolean =>
  isTorn ? text.startsWith(actual) : actual === text;

const wrongInStore = (stored: Cell['stored'], text: string, isTorn: boolean): string[] => {
  if (stored === null) return [];
  const { status, content } = stored;
  return [...check('stored', status, 'failed'), ...(isKept(content, text, isTorn) ? [] : check('kept', content, text))];
};

/** An honest failure, with what came before it; the client that gets all in one piece gets the failure alone. */
const partial = ({ seen, door, calls, stored }: Cell, text: string, isTorn: boolean): string[] => {
  const wanted = door === 'json' ? '' : text;
  return [
    ...check('state', seen.state, wanted === '' ? 'refused' : 'failed'),
    ...(isKept(seen.text, wanted, isTorn) ? [] : check('partial', seen.text, wanted)),
    ...check('has a code', seen.code !== null, true),
    ...check('calls', calls.join('+'), '1+0'),
    ...wrongInStore(stored, text, isTorn),
  ];
};

const failedOver = (cell: Cell): string[] => complete(cell, HEALTHY_TEXT, 'stop', '1+1');

/** What a busy machine or a reset may have made of it: the next model's answer, whole. */
const mayFailOver = (expected: Expected): boolean =>
  (expected.is === 'good' && expected.isSlow) || (expected.is === 'partial' && expected.isTorn);

const judge = (cell: Cell, expected: Expected): string[] => {
  if (mayFailOver(expected) && cell.seen.text === HEALTHY_TEXT) return failedOver(cell);
  switch (expected.is) {
    case 'good':
      return complete(cell, expected.text, expected.finish, '1+0');
    case 'unseen':
      return failedOver(cell);
    case 'refused':
      return refused(cell, expected.by);
    case 'partial':
      return isUnseen(cell.door) ? failedOver(cell) : partial(cell, expected.text, expected.isTorn);
    case 'closed':
      return cell.seen.state === 'complete'
        ? failedOver(cell)
        : [...check('state', cell.seen.state, 'refused'), ...check('calls', cell.calls[0], 1)];
  }
};

/** What is wrong with a cell; nothing when it is as promised. */
export const problemsOf = (cell: Cell): readonly string[] =>
  [...judge(cell, cell.row.expected), ...check('final states', cell.ends, 1)].map(
    (problem) => `${cell.row.mode} at ${cell.door}: ${problem}`,
  );

/** Whether a client was told that all is well and holds something else than a model's whole answer. */
export const isFalseSuccess = ({ seen, row: { expected } }: Cell): boolean => {
  if (seen.state !== 'complete') return false;
  return seen.text !== HEALTHY_TEXT && !(expected.is === 'good' && seen.text === expected.text);
};

export const isHang = ({ seen }: Cell): boolean => seen.state === 'hung' || seen.state === 'cut';

const SEEN_AS: Readonly<Record<Seen['state'], string>> = {
  complete: 'whole',
  failed: 'failed',
  refused: 'refused',
  cut: 'CUT',
  hung: 'HUNG',
};

const sawOf = ({ seen }: Cell): string => {
  if (seen.state !== 'complete') return `${SEEN_AS[seen.state]} ${seen.code ?? ''}`.trim();
  return seen.text === HEALTHY_TEXT ? 'next' : SEEN_AS.complete;
};

/** `next · 2 · 14 ms`: what the client saw, upstream calls, time to the first token (or to the end without one). */
const cellText = (cell: Cell): string => {
  const { seen, calls } = cell;
  return `${sawOf(cell)} · ${String(calls[0] + calls[1])} · ${(seen.firstMs ?? seen.ms).toFixed(0)} ms`;
};

/** The table as lines of text: a row for each fault, a column for each door. */
export const printTable = (cells: readonly Cell[], doors: readonly DoorName[]): string => {
  const rows = [...new Set(cells.map(({ row }) => row))];
  const lines = [
    ['fault', ...doors],
    ...rows.map((row) => [
      row.mode,
      ...doors.map((door) => {
        const cell = cells.find((each) => each.row === row && each.door === door);
        return cell ? `${cellText(cell)}${problemsOf(cell).length > 0 ? ' !' : ''}` : '';
      }),
    ]),
  ];
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  return lines.map((line) => line.map((text, column) => text.padEnd(widths[column] ?? 0)).join('  ')).join('\n');
};
