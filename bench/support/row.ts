import type { Ground, Subject, SubjectName } from './subjects.ts';

/** What a row gets to work with: the servers that run throughout, and how long it may take. */
export interface Bench {
  readonly ground: Ground;
  readonly isQuick: boolean;
  readonly rounds: number;
  /** The servers on their core, started with the first row that asks. */
  readonly subjects: () => Promise<Readonly<Record<Exclude<SubjectName, 'parley-second' | 'parley-end'>, Subject>>>;
  readonly log: (text: string) => void;
}

/** One line of the table. Values and ratio are medians over the rounds. */
export interface Line {
  readonly title: string;
  readonly unit: string;
  readonly values: Readonly<Partial<Record<SubjectName | 'upstream', number>>>;
  /** Every round's values, for the JSON. */
  readonly rounds?: Readonly<Record<string, readonly number[]>>;
  readonly judged?: Judged | undefined;
}

export interface Judged {
  /** What the ratio says, such as `÷ bare relay`. */
  readonly of: string;
  readonly ratio: number;
  readonly goal: number;
  readonly better: 'higher' | 'lower';
}

export interface Row {
  readonly name: string;
  run(bench: Bench): Promise<Line[]>;
}

export const isMet = ({ ratio, goal, better }: Judged): boolean =>
  better === 'higher' ? ratio >= goal : ratio <= goal;
