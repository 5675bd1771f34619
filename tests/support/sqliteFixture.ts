import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createLogger } from '../../src/lib/logger.ts';
import { migrate, openDatabase, type Database } from '../../src/models/sqlite/database.ts';

export const quietLogger = createLogger({ level: 'error', service: 'test', format: 'text' });

/** A path for a database in a directory of its own. */
export const newFile = (): string => join(mkdtempSync(join(tmpdir(), 'parley-sqlite-')), 'parley.db');

/** A writing connection to a new database. */
export const newDatabase = (): Database => {
  const file = newFile();
  const db = openNew(file);
  migrate(db);
  return db;
};

/** A connection to a file that need not be there yet. */
export const openNew = (file: string): Database => openDatabase(file, { readOnly: false });

export interface SqliteProcess {
  readonly child: ChildProcessWithoutNullStreams;
  /** What it reports, one value a line; ends with the process. */
  readonly reports: AsyncIterableIterator<unknown>;
  /** Resolves with the exit code (null: killed) once all output was read. */
  readonly ended: Promise<number | null>;
}

const script = fileURLToPath(new URL('./sqliteProcess.ts', import.meta.url));

/** Reports are objects and strings. */
const isWhole = (line: string): boolean => /^\{.*\}$|^".*"$/.test(line);

/**
 * Starts `sqliteProcess.ts`. @param wrapper a command that runs it, such as strace with its options
 */
export const startProcess = (file: string, task: string, wrapper: readonly string[] = []): SqliteProcess => {
  const [command, ...args] = [...wrapper, process.execPath, script, file, task];
  const child = spawn(command, args, { env: { ...process.env, NODE_OPTIONS: '' } });
  child.stderr.resume();
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const reports = (async function* () {
    for await (const line of lines) {
      // The last line of a process that was killed may be half of one, and was not said then.
      if (child.killed && !isWhole(line)) return;
      yield JSON.parse(line) as unknown;
    }
  })();
  return { child, reports, ended: once(child, 'close').then(([code]) => code as number | null) };
};

/** Everything that a process reports until it ends. */
export const allReports = async <Report>({ reports, ended }: SqliteProcess): Promise<Report[]> => {
  const all: Report[] = [];
  for await (const report of reports) all.push(report as Report);
  await ended;
  return all;
};
