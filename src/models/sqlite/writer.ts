import { Worker } from 'node:worker_threads';
import type { Logger } from '../../lib/logger.ts';
import { StoreUnavailableError } from '../errors.ts';
import { packError, unpackError } from './errors.ts';
import type { Outcome } from './group.ts';
import type { Operation } from './operations.ts';
import type { WriterRequest } from './writer.worker.ts';

/** The writing thread, seen from the event loop. */
export interface Writer {
  /** Resolves with the method's result once it is committed. @throws StoreUnavailableError, and what the method throws */
  run(operation: Omit<Operation, 'id'>): Promise<unknown>;
  /** Commits what is queued, moves the log into the database file, and ends the thread. */
  close(): Promise<void>;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** One life of the thread with the calls that wait for it. */
interface Session {
  readonly worker: Worker;
  readonly waiting: Map<number, Waiting>;
  readonly ended: Promise<null>;
}

/** From the sources Node runs TypeScript itself; a build has the same files as JavaScript. */
const workerUrl = new URL(`./writer.worker.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);

const settle = ({ waiting, worker }: Session, outcome: Outcome): void => {
  const call = waiting.get(outcome.id);
  waiting.delete(outcome.id);
  // An idle thread keeps no process alive; a write that someone waits for does.
  if (waiting.size === 0) worker.unref();
  if (outcome.ok) call?.resolve(outcome.value);
  else call?.reject(unpackError(outcome.error));
};

const startSession = (file: string, onEnd: (session: Session, error: Error | null) => void): Session => {
  const worker = new Worker(workerUrl, { workerData: file, name: 'sqlite-writer' });
  let failure: Error | null = null;
  const ended = Promise.withResolvers<null>();
  const session: Session = { worker, waiting: new Map(), ended: ended.promise };
  worker.unref();
  worker.on('message', (outcomes: readonly Outcome[]) => {
    for (const outcome of outcomes) settle(session, outcome);
  });
  worker.on('error', (error) => {
    failure = error instanceof Error ? error : new Error(String(error));
  });
  worker.on('exit', (code) => {
    if (session.waiting.size > 0) failure ??= new Error(`exit code ${String(code)}`);
    onEnd(session, failure);
    ended.resolve(null);
  });
  return session;
};

/**
 * Sends all writes of the process to one thread. A thread that dies rejects what waited for it; the next write starts
 * another one, so a cause that has passed needs no restart and a cause that has not makes no loop.
 */
export const createWriter = (file: string, logger: Logger): Writer => {
  let session: Session | null = null;
  let outbox: Operation[] = [];
  let lastId = 0;
  let isClosed = false;

  const onEnd = (ended: Session, error: Error | null): void => {
    if (session === ended) session = null;
    if (error === null) return;
    logger.error('the writing thread died', { waiting: ended.waiting.size, err: error });
    const message = `${file}: the writing thread died: ${error.message}`;
    for (const { reject } of ended.waiting.values()) reject(new StoreUnavailableError(message, { cause: error }));
    ended.waiting.clear();
  };

  const post = (request: WriterRequest): void => session?.worker.postMessage(request);

  /** All calls of one turn of the event loop travel in one message. */
  const flush = (): void => {
    const operations = outbox;
    outbox = [];
    if (operations.length === 0) return;
    try {
      post(operations);
    } catch (error) {
      // One argument that cannot be copied to a thread: a defect of a caller, and no reason for the others to hang.
      for (const { id } of operations) if (session) settle(session, { id, ok: false, error: packError(error) });
    }
  };

  const run = (operation: Omit<Operation, 'id'>): Promise<unknown> => {
    if (isClosed) return Promise.reject(new StoreUnavailableError(`${file} is closed`));
    const { waiting, worker } = (session ??= startSession(file, onEnd));
    const id = ++lastId;
    if (waiting.size === 0) worker.ref();
    if (outbox.length === 0) queueMicrotask(flush);
    outbox.push({ ...operation, id });
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
    });
  };

  return {
    run,
    close: async () => {
      isClosed = true;
      flush();
      const ending = session;
      if (!ending) return;
      ending.worker.ref();
      post('close');
      await ending.ended;
    },
  };
};
