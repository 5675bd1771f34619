import { getPriority, setPriority } from 'node:os';
import { compareSync, hashSync } from 'bcryptjs';

/**
 * Work for one thread of the pool. bcrypt looks at the first 72 bytes of `input`: ours is shorter, and for another system's
 * hash that is what it means. `decoys` are compared, too, when the hash is another password's.
 */
export type PasswordTask = {
  /** How far this thread stands back for the event loop when the cores are short; 0: not at all. */
  readonly nice: number;
} & (
  | { readonly kind: 'hash'; readonly input: string; readonly cost: number }
  | { readonly kind: 'verify'; readonly input: string; readonly hash: string; readonly decoys: readonly string[] }
);

const isRight = (input: string, hash: string, decoys: readonly string[]): boolean => {
  if (compareSync(input, hash)) return true;
  for (const decoy of decoys) compareSync(input, decoy);
  return false;
};

/** Linux alone has priorities of threads: elsewhere this would slow down the whole process. Nobody may go back up. */
const standBack = (nice: number): void => {
  if (process.platform === 'linux' && getPriority() < nice) setPriority(nice);
};

/** Hashes (→ the bcrypt hash) or compares (→ whether they match). Blocks its thread on purpose: it has no other work. */
export default function work(task: PasswordTask): string | boolean {
  standBack(task.nice);
  return task.kind === 'hash' ? hashSync(task.input, task.cost) : isRight(task.input, task.hash, task.decoys);
}
