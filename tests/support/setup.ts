import { afterAll } from '@jest/globals';
import { openTaps } from './canaries/taps.ts';
import { reportSearch } from './canaries/report.ts';

/** A rejection that nobody handled is a defect of the server, not noise: it fails the test file in which it happened. */
const unhandled: unknown[] = [];
const remember = (reason: unknown): void => void unhandled.push(reason);
process.on('unhandledRejection', remember);

afterAll(() => {
  process.off('unhandledRejection', remember);
  if (unhandled.length > 0) throw new AggregateError(unhandled, 'unhandled rejections');
});

/** What the servers of this file logged, answered as an error or counted is searched for its secrets, whatever it tests. */
const closeTaps = openTaps();

afterAll(async () => {
  const leaks = await reportSearch();
  closeTaps();
  if (leaks.length > 0) throw new Error(`secrets where nobody may see them:\n${leaks.join('\n')}`);
});
