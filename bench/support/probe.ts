/**
 * Loaded into a server with `--import` for the rows that cannot be measured from outside: on SIGUSR2 it collects
 * garbage and prints the heap and how many reads the event loop made of the database. Rows of speed run without it.
 */
import { StatementSync } from 'node:sqlite';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

let reads = 0;

const countReads = (name: 'get' | 'all'): void => {
  const original = StatementSync.prototype[name] as (this: StatementSync, ...values: never[]) => unknown;
  Object.defineProperty(StatementSync.prototype, name, {
    value(this: StatementSync, ...values: never[]) {
      reads += 1;
      return original.apply(this, values);
    },
  });
};

if (isMainThread) {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  countReads('get');
  countReads('all');
  process.on('SIGUSR2', () => {
    collect();
    collect();
    process.stderr.write(`bench-probe ${JSON.stringify({ heapBytes: process.memoryUsage().heapUsed, reads })}\n`);
  });
}
