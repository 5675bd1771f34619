import { compareSync, hashSync } from 'bcryptjs';

/** Work for one thread of the pool; `input` is ASCII of at most 72 bytes, which is all that bcrypt looks at. */
export type PasswordTask =
  | { readonly kind: 'hash'; readonly input: string; readonly cost: number }
  | { readonly kind: 'verify'; readonly input: string; readonly hash: string };

/** Hashes (→ the bcrypt hash) or compares (→ whether they match). Blocks its thread on purpose: it has no other work. */
export default function work(task: PasswordTask): string | boolean {
  return task.kind === 'hash' ? hashSync(task.input, task.cost) : compareSync(task.input, task.hash);
}
