import { afterAll } from '@jest/globals';

/** A rejection that nobody handled is a defect of the server, not noise: it fails the test file in which it happened. */
const unhandled: unknown[] = [];
const remember = (reason: unknown): void => void unhandled.push(reason);
process.on('unhandledRejection', remember);

afterAll(() => {
  process.off('unhandledRejection', remember);
  if (unhandled.length > 0) throw new AggregateError(unhandled, 'unhandled rejections');
});
