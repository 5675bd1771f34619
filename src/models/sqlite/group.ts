import { StoreUnavailableError } from '../errors.ts';
import type { Database } from './database.ts';
import { isIoError, packError, toStoreError, type PackedError } from './errors.ts';
import { isDurable, perform, type Operation, type SyncStores } from './operations.ts';

/** What became of one operation. */
export type Outcome =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly error: PackedError };

/**
 * Runs operations in one transaction, so that they share one flush to the disk, the dear part of a commit.
 * Each has a savepoint: one that fails takes back its own changes and nothing else. When the transaction itself fails
 * (disk full, I/O error) every operation of the group fails with `StoreUnavailableError` and nothing of it is stored.
 */
export type GroupRunner = (operations: readonly Operation[]) => Outcome[];

export const createGroupRunner = (db: Database, stores: SyncStores): GroupRunner => {
  let isFull = true;
  let isDiskSuspect = false;

  const failed = (id: number, error: unknown): Outcome => ({
    id,
    ok: false,
    error: packError(toStoreError(error, db.file)),
  });

  /** FULL flushes the log at every commit, NORMAL leaves that to the system: enough to survive the process's death. */
  const setDurability = (wanted: boolean): void => {
    if (wanted === isFull) return;
    db.exec(`PRAGMA synchronous = ${wanted ? 'FULL' : 'NORMAL'}`);
    isFull = wanted;
  };

  /**
   * After a failed flush the kernel may forget which pages of the log never reached the disk, and the next flush
   * "succeeds". So before anything is acknowledged again, all of the log goes into the database file, which is flushed
   * anew, and the log starts over.
   */
  const rewriteLog = (): void => {
    const row = db.get('PRAGMA wal_checkpoint(TRUNCATE)') as { busy: number } | undefined;
    if (row?.busy !== 0) throw new StoreUnavailableError(`${db.file} is not yet safe again after an I/O error`);
    isDiskSuspect = false;
  };

  const runOne = (operation: Operation): Outcome => {
    db.run('SAVEPOINT operation');
    try {
      const value = perform(stores, operation);
      db.run('RELEASE operation');
      return { id: operation.id, ok: true, value };
    } catch (error) {
      const outcome = failed(operation.id, error);
      // When the disk is full SQLite ends the whole transaction, and with it what the others did.
      if (!db.isTransaction() || (!outcome.ok && outcome.error.kind === 'unavailable')) throw error;
      db.run('ROLLBACK TO operation');
      db.run('RELEASE operation');
      return outcome;
    }
  };

  return (operations) => {
    try {
      if (isDiskSuspect) rewriteLog();
      setDurability(operations.some(isDurable));
      db.run('BEGIN IMMEDIATE');
      const outcomes = operations.map(runOne);
      db.run('COMMIT');
      return outcomes;
    } catch (error) {
      isDiskSuspect ||= isIoError(error);
      if (db.isTransaction()) db.run('ROLLBACK');
      const cause = toStoreError(error, db.file);
      const reason =
        cause instanceof StoreUnavailableError ? cause : new StoreUnavailableError(String(cause), { cause });
      return operations.map(({ id }) => failed(id, reason));
    }
  };
};
