import type { Logger } from '../../lib/logger.ts';
import type { UsageRecord } from '../../models/entities.ts';
import type { ReservationKey, UsageBatch, UsageStore } from '../../models/stores.ts';

/** Milliseconds between two writes: what a killed process takes along at most. */
const TICK_MS = 250;
/** Milliseconds until the next try when the database did not answer. */
const RETRY_MS = 1_000;
const MAX_BATCH = 500;
/** Records that wait while the database is away, some 50 MB; what comes then is lost, and said so. */
const MAX_WAITING = 100_000;

export interface BooksOptions {
  readonly store: Pick<UsageStore, 'appendUsage'>;
  readonly nodeId: string;
  /** Told of each batch that is written. */
  readonly written: (batch: UsageBatch) => void;
  readonly logger: Logger;
}

/** Writes down what calls cost, off the path of any answer: all of the node's in one write per tick. */
export interface Books {
  add(record: UsageRecord): void;
  /** Frees the place of an answer that has ended, and nothing else that it reserved. */
  end(ended: ReservationKey): void;
  /** Ends a reservation, in the same write as what was added before. */
  release(released: ReservationKey): void;
  /** Drops what is not written of an owner. */
  drop(ownerId: string): void;
  /** Resolves when everything that was added before is written, or could not be at the first try. */
  flush(): Promise<void>;
  /** The last write: after it nothing is taken any more. */
  close(): Promise<void>;
}

export const createBooks = ({ store, nodeId, written, logger }: BooksOptions): Books => {
  const log = logger.child('usage');
  let records: UsageRecord[] = [];
  let ended: ReservationKey[] = [];
  let released: ReservationKey[] = [];
  let number = 0;
  let lost = 0;
  /** What could not be written: the same batch again, so that nothing is counted twice. */
  let unwritten: UsageBatch | null = null;
  let writing: Promise<void> | null = null;
  let timer: NodeJS.Timeout | null = null;
  let isClosed = false;

  const isEmpty = (): boolean => records.length + ended.length + released.length === 0;

  const nextBatch = (): UsageBatch | null => {
    if (unwritten) return unwritten;
    if (isEmpty()) return null;
    const batch = { nodeId, number: (number += 1), records: records.slice(0, MAX_BATCH), ended, released };
    records = records.slice(MAX_BATCH);
    ended = [];
    // A reservation ends with the last of the records that were there before it.
    if (records.length > 0) return { ...batch, released: [] };
    released = [];
    return batch;
  };

  const writeAll = async (): Promise<void> => {
    for (let batch = nextBatch(); batch; batch = nextBatch()) {
      unwritten = batch;
      await store.appendUsage(batch);
      unwritten = null;
      written(batch);
    }
  };

  const write = async (): Promise<void> => {
    try {
      await writeAll();
    } catch (error) {
      log.warn('the books could not be written, trying again', { waiting: records.length, err: error });
    }
  };

  const isIdle = (): boolean => unwritten === null && isEmpty();

  const flush = async (): Promise<void> => {
    // Who comes while a batch is written waits for it, and then for its own.
    while (writing) await writing;
    writing = write().finally(() => {
      writing = null;
      if (!isIdle()) schedule(RETRY_MS);
    });
    await writing;
  };

  const schedule = (ms: number): void => {
    if (timer || isClosed) return;
    timer = setTimeout(() => {
      timer = null;
      void flush();
    }, ms);
    timer.unref();
  };

  const add = (record: UsageRecord): void => {
    if (records.length >= MAX_WAITING) {
      lost += 1;
      if (lost === 1 || lost % 1000 === 0) log.error('the books lose records: the database is away', { lost });
      return;
    }
    records.push(record);
    schedule(TICK_MS);
  };

  return {
    add,
    // Never lost: there are only as many as answers were let in while the database was there.
    end: (item) => {
      ended.push(item);
      schedule(TICK_MS);
    },
    release: (item) => {
      released.push(item);
      schedule(TICK_MS);
    },
    drop: (ownerId) => {
      records = records.filter((record) => record.ownerId !== ownerId);
      ended = ended.filter((item) => item.ownerId !== ownerId);
      released = released.filter((item) => item.ownerId !== ownerId);
    },
    flush,
    close: async () => {
      isClosed = true;
      if (timer) clearTimeout(timer);
      await flush();
      if (!isIdle()) log.error('the last of the books is lost', { records: records.length });
    },
  };
};
