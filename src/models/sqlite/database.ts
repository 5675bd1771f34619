import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { StoreUnavailableError } from '../errors.ts';
import { APPLICATION_ID, MIGRATIONS } from './migrations/index.ts';

/** One connection. Statements are prepared once per SQL text; values are bound by position. */
export interface Database {
  readonly file: string;
  /** False again as soon as SQLite has rolled back by itself, as it does when the disk is full. */
  isTransaction(): boolean;
  /** The first row as SQLite gives it, or undefined; what is in it only the statement knows. */
  get(sql: string, ...values: SQLInputValue[]): unknown;
  all(sql: string, ...values: SQLInputValue[]): unknown[];
  /** Returns how many rows were changed. */
  run(sql: string, ...values: SQLInputValue[]): number;
  /** Runs statements that are not worth keeping prepared. */
  exec(sql: string): void;
  close(): void;
}

/** Milliseconds a writer waits for a lock, which only a tool like the sqlite3 shell can hold. */
const WRITER_BUSY_TIMEOUT_MS = 5000;
/** Readers of a WAL wait for nobody but a recovery, and they run on the event loop. */
const READER_BUSY_TIMEOUT_MS = 500;
const CACHE_KIB = 16 * 1024;
/** Pages of the log (of 4 KiB) before they move to the database file; 4 times the default writes hot pages less often. */
const CHECKPOINT_PAGES = 4000;
/** Bytes that the WAL keeps after a checkpoint; a big deletion does not leave a big file behind. */
const WAL_LIMIT_BYTES = 32 * 1024 * 1024;

/** Settings of a connection (what is deleted is overwritten: deleted text is not left in the file); that of the file itself (`journal_mode`) is made by `migrate`. */
const PRAGMAS = `
PRAGMA cache_size = -${String(CACHE_KIB)};
PRAGMA temp_store = MEMORY;
PRAGMA synchronous = FULL;
PRAGMA secure_delete = ON;
PRAGMA wal_autocheckpoint = ${String(CHECKPOINT_PAGES)};
PRAGMA journal_size_limit = ${String(WAL_LIMIT_BYTES)};
`;

/**
 * Opens a connection to an existing file; `migrate` makes it a database of ours.
 * @throws SQLite's own error; `toStoreError` translates
 */
export const openDatabase = (file: string, { readOnly }: { readonly readOnly: boolean }): Database => {
  const connection = new DatabaseSync(file, {
    readOnly,
    enableForeignKeyConstraints: true,
    timeout: readOnly ? READER_BUSY_TIMEOUT_MS : WRITER_BUSY_TIMEOUT_MS,
  });
  const statements = new Map<string, StatementSync>();
  const prepared = (sql: string): StatementSync => {
    let statement = statements.get(sql);
    if (!statement) statements.set(sql, (statement = connection.prepare(sql)));
    return statement;
  };
  const database: Database = {
    file,
    isTransaction: () => connection.isTransaction,
    get: (sql, ...values) => prepared(sql).get(...values),
    all: (sql, ...values) => prepared(sql).all(...values),
    run: (sql, ...values) => Number(prepared(sql).run(...values).changes),
    exec: (sql) => {
      connection.exec(sql);
    },
    close: () => {
      connection.close();
    },
  };
  try {
    database.exec(PRAGMAS);
    return database;
  } catch (error) {
    connection.close();
    throw error;
  }
};

const pragma = (db: Database, name: string): unknown => Object.values(db.get(`PRAGMA ${name}`) as object)[0];

/** How many migrations the file has. @throws StoreUnavailableError for what this version must not touch */
const versionOf = (db: Database, known: number): number => {
  const version = Number(pragma(db, 'user_version'));
  const isEmpty = db.get('SELECT 1 FROM sqlite_schema LIMIT 1') === undefined;
  if (isEmpty && version === 0) return 0;
  if (pragma(db, 'application_id') !== APPLICATION_ID) {
    throw new StoreUnavailableError(`${db.file} is a database of another program`);
  }
  if (version > known) {
    throw new StoreUnavailableError(
      `${db.file} was written by a newer version of the server ` +
        `(schema ${String(version)}, this one knows ${String(known)}): update the server`,
    );
  }
  return version;
};

/**
 * Brings the file to the newest schema, all or nothing: a crash in the middle leaves it as it was.
 * Whoever comes second waits for the lock and then finds nothing to do.
 * @returns how many migrations were run
 * @throws StoreUnavailableError, having changed nothing, when the file is not ours or newer than this code
 */
export const migrate = (db: Database, migrations: readonly string[] = MIGRATIONS): number => {
  versionOf(db, migrations.length);
  if (pragma(db, 'journal_mode = WAL') !== 'wal') {
    throw new StoreUnavailableError(`${db.file} cannot use a write-ahead log on this file system`);
  }
  db.exec('BEGIN IMMEDIATE');
  try {
    const pending = migrations.slice(versionOf(db, migrations.length));
    for (const sql of pending) db.exec(sql);
    if (pending.length > 0) db.exec(`PRAGMA user_version = ${String(migrations.length)}`);
    db.exec('COMMIT');
    return pending.length;
  } catch (error) {
    if (db.isTransaction()) db.exec('ROLLBACK');
    throw error;
  }
};
