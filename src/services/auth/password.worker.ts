import { compareSync, hashSync } from 'bcryptjs';

/**
 * Work for one thread of the pool. bcrypt looks at the first 72 bytes of `input`: ours is shorter, and for another system's
 * hash that is what it means. `decoys` are compared, too, when the hash is another password's.
 */
export type PasswordTask =
  | { readonly kind: 'hash'; readonly input: string; readonly cost: number }
  | { readonly kind: 'verify'; readonly input: string; readonly hash: string; readonly decoys: readonly string[] };

const isRight = (input: string, hash: string, decoys: readonly string[]): boolean => {
  if (compareSync(input, hash)) return true;
  for (const decoy of decoys) compareSync(input, decoy);
  return false;
};

/** Hashes (→ the bcrypt hash) or compares (→ whether they match). Blocks its thread on purpose: it has no other work. */
export default function work(task: PasswordTask): string | boolean {
  return task.kind === 'hash' ? hashSync(task.input, task.cost) : isRight(task.input, task.hash, task.decoys);
}
