import { chmodSync, closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreUnavailableError } from '../errors.ts';
import { isBusyError, toStoreError } from './errors.ts';

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const OTHERS = 0o077;

const hasCode = (error: unknown, code: string): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === code;

/**
 * Makes a missing file that only its owner can read, and takes others' rights from an existing one.
 * An existing file is never opened here: closing it would drop the locks that SQLite holds on it in this process (POSIX).
 */
const protect = (file: string): void => {
  try {
    closeSync(openSync(file, 'wx', FILE_MODE));
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
  for (const path of [file, `${file}-wal`, `${file}-shm`]) {
    const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
    if ((mode & OTHERS) !== 0) chmodSync(path, FILE_MODE);
  }
};

/** The side file whose lock stands for the database as a whole: `parley.db` → `parley.lock`. */
export const lockFileOf = (file: string): string => `${file.replace(/\.db$/, '')}.lock`;

const takeLock = (file: string, lockFile: string): (() => void) => {
  const lock = new DatabaseSync(lockFile, { timeout: 0 });
  try {
    // Without the setting an empty journal would lie about next to it.
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if (!isBusyError(error)) throw error;
    throw new StoreUnavailableError(`${file} is in use by another process, which holds ${lockFile}`, { cause: error });
  }
  return () => {
    lock.close();
  };
};

/** What stops us at the door, with the file's name in it: "EACCES" alone helps nobody. */
const refused = (error: unknown, file: string): unknown => {
  const known = toStoreError(error, file);
  return hasCode(error, 'ERR_SQLITE_ERROR') || known instanceof StoreUnavailableError
    ? known
    : new StoreUnavailableError(`${file} cannot be made or read: ${String(error)}`, { cause: error });
};

/**
 * Makes directory and files (0700, 0600) and takes the database for this process alone. The lock is an open transaction
 * on a side file: the system releases it when the process ends, even by kill -9, so there is no stale lock to clear.
 * @returns a function that lets go of the database
 * @throws StoreUnavailableError naming the file
 */
export const claimFiles = (file: string): (() => void) => {
  const lockFile = lockFileOf(file);
  let release: (() => void) | null = null;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: DIRECTORY_MODE });
    protect(lockFile);
    release = takeLock(file, lockFile);
    protect(file);
    return release;
  } catch (error) {
    release?.();
    throw refused(error, release ? file : lockFile);
  }
};
