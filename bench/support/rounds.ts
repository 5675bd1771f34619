import type { Line } from './row.ts';
import { median } from './stats.ts';
import type { SubjectName } from './subjects.ts';

export type Figures = Readonly<Record<string, number>>;
/** What each subject did in each round. */
export type Measured = Readonly<Partial<Record<SubjectName, readonly Figures[]>>>;

/** Rounds are interleaved, and begin with another subject each time: a noisy minute then hurts nobody alone. */
export const interleave = async <N extends SubjectName>(
  names: readonly N[],
  rounds: number,
  measure: (name: N, round: number) => Promise<Figures>,
): Promise<Measured> => {
  const measured = new Map<N, Figures[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (let at = 0; at < names.length; at += 1) {
      const name = names[(at + round) % names.length];
      if (name) measured.get(name)?.push(await measure(name, round));
    }
  }
  return Object.fromEntries(measured);
};

const valuesOf = (measured: Measured, name: SubjectName, key: string): number[] =>
  (measured[name] ?? []).map((figures) => figures[key] ?? NaN);

/** The median of the rounds' own ratios: what disturbed a round disturbed both. */
export const ratioOf = (measured: Measured, key: string, [name, base]: readonly [SubjectName, SubjectName]): number => {
  const below = valuesOf(measured, base, key);
  return median(valuesOf(measured, name, key).map((value, round) => value / (below[round] ?? NaN)));
};

export interface LineOptions {
  readonly key: string;
  readonly title: string;
  readonly unit: string;
  /** Who is judged; the default is Parley over Socket.IO. */
  readonly subject?: SubjectName;
  readonly goal?: { readonly base: SubjectName; readonly goal: number; readonly better: 'higher' | 'lower' };
}

const BASE_NAMES: Readonly<Record<string, string>> = {
  relay: 'bare relay',
  handwritten: 'hand-written',
  pipe: 'bare pipe',
};

/** A line of the table. */
export const lineOf = (measured: Measured, { key, title, unit, goal, subject = 'parley' }: LineOptions): Line => {
  const names = Object.keys(measured) as SubjectName[];
  const rounds = Object.fromEntries(names.map((name) => [name, valuesOf(measured, name, key)]));
  return {
    title,
    unit,
    values: Object.fromEntries(names.map((name) => [name, median(rounds[name] ?? [])])),
    rounds,
    judged: goal && {
      of: `÷ ${BASE_NAMES[goal.base] ?? goal.base}`,
      ratio: ratioOf(measured, key, [subject, goal.base]),
      goal: goal.goal,
      better: goal.better,
    },
  };
};
