import { appendFileSync } from 'node:fs';
import { secretWatch } from './watch.ts';

/** Where `scripts/test.mjs` adds the figures up, and sees what was found when this file could no longer fail for it. */
const note = (line: {
  readonly characters: number;
  readonly secrets: number;
  readonly late: readonly string[];
}): void => {
  const file = process.env.PARLEY_CANARY_COUNTS;
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(line)}\n`);
};

/** Searches all that this test file has seen. Hooks of the file come after this one: what they log is searched line by line. */
export const reportSearch = async (): Promise<string[]> => {
  const leaks = await secretWatch.finish((late) => note({ characters: 0, secrets: 0, late }));
  if (secretWatch.counts.characters > 0) note({ ...secretWatch.counts, late: [] });
  return leaks;
};
