/** The thread that writes. It holds the only writing connection; see `writer.ts` for the other end. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { openDatabase } from './database.ts';
import { createGroupRunner } from './group.ts';
import { createSyncStores, type Operation } from './operations.ts';

const port = parentPort;
if (!port) throw new Error('writer.worker.ts runs as a worker thread only');

/** What `writer.ts` posts: operations, or the wish to end. */
export type WriterRequest = readonly Operation[] | 'close';

const db = openDatabase(String(workerData), { readOnly: false });
const runGroup = createGroupRunner(db, createSyncStores(db));

const close = (): void => {
  db.close();
  port.close();
};

port.on('message', (first: WriterRequest) => {
  const operations: Operation[] = [];
  let request: WriterRequest | undefined = first;
  // What was posted while the last group was committed is the next group.
  while (request !== undefined && request !== 'close') {
    operations.push(...request);
    request = (receiveMessageOnPort(port) as { message: WriterRequest } | undefined)?.message;
  }
  if (operations.length > 0) port.postMessage(runGroup(operations));
  if (request === 'close') close();
});
