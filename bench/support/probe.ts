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
  const original: unknown = Reflect.get(StatementSync.prototype, name);
  Object.defineProperty(StatementSync.prototype, name, {
    value(this: StatementSync, ...values: never[]) {
      reads += 1;
      return Reflect.apply(original as () => unknown, this, values);
    },
  });
};

if (isMainThread) {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (how: object) => void;
  countReads('get');
  countReads('all');
  process.on('SIGUSR2', () => {
    // As after a while of quiet, when V8 gives free pages back to the system: that takes it 10 to 20 seconds by itself.
    collect({ type: 'major', flavor: 'last-resort' });
    process.stderr.write(`bench-probe ${JSON.stringify({ heapBytes: process.memoryUsage().heapUsed, reads })}\n`);
  });
}
