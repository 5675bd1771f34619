import {
  ChatFullError,
  DuplicateKeyError,
  LastAdminError,
  MissingReferenceError,
  QuotaError,
  StoreUnavailableError,
} from '../errors.ts';

/** Primary result codes (https://sqlite.org/rescode.html) of a database that cannot do its work for now. */
const UNAVAILABLE: ReadonlySet<number> = new Set([
  3, // PERM
  5, // BUSY
  6, // LOCKED
  7, // NOMEM
  8, // READONLY
  10, // IOERR
  11, // CORRUPT
  13, // FULL
  14, // CANTOPEN
  15, // PROTOCOL
  23, // AUTH
  26, // NOTADB
]);
const BUSY = 5;
const IO_ERROR = 10;
const CONSTRAINT_PRIMARY_KEY = 1555;
const CONSTRAINT_UNIQUE = 2067;

/** Columns whose name is not the entity's field in snake case. */
const FIELD_OF_COLUMN: Readonly<Record<string, string>> = { username_key: 'username' };

interface SqliteError extends Error {
  readonly errcode: number;
}

const isSqliteError = (error: unknown): error is SqliteError =>
  typeof error === 'object' &&
  error !== null &&
  'code' in error &&
  error.code === 'ERR_SQLITE_ERROR' &&
  'errcode' in error;

/** The extended result code carries the primary one in its low byte. */
const primaryCode = (error: SqliteError): number => error.errcode & 0xff;

/** `UNIQUE constraint failed: users.username_key` → `username`; of a key of several columns the last one tells. */
const duplicateField = (message: string): string => {
  const column = /\.(\w+)$/.exec(message)?.[1] ?? 'key';
  return FIELD_OF_COLUMN[column] ?? column.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
};

/** Whether a write reached the disk or not is unknown after this: a flush that failed once may "succeed" the next time. */
export const isIoError = (error: unknown): boolean => isSqliteError(error) && primaryCode(error) === IO_ERROR;

/** Whether another connection holds the lock. */
export const isBusyError = (error: unknown): boolean => isSqliteError(error) && primaryCode(error) === BUSY;

/**
 * SQLite's error → ours. Anything else (a defect of our SQL, an error of our own) comes back as it is.
 * @param file what the message names, since "unable to open database file" alone helps nobody
 */
export const toStoreError = (error: unknown, file: string): unknown => {
  if (!isSqliteError(error)) return error;
  if (error.errcode === CONSTRAINT_UNIQUE || error.errcode === CONSTRAINT_PRIMARY_KEY) {
    return new DuplicateKeyError(duplicateField(error.message), { cause: error });
  }
  if (!UNAVAILABLE.has(primaryCode(error))) return error;
  return new StoreUnavailableError(`${file}: ${error.message}`, { cause: error });
};

/** An error on its way between threads, where classes do not survive. */
export type PackedError =
  | { readonly kind: 'duplicate'; readonly field: string }
  | { readonly kind: 'missing'; readonly what: 'chat' | 'parent' }
  | { readonly kind: 'chatFull' }
  | { readonly kind: 'lastAdmin' }
  | { readonly kind: 'quota'; readonly quota: QuotaError['quota']; readonly isUsedUp: boolean }
  | { readonly kind: 'unavailable'; readonly message: string }
  | { readonly kind: 'defect'; readonly message: string; readonly stack: string };

/** The part of `toStoreError`'s result that crosses to the other thread. */
export const packError = (error: unknown): PackedError => {
  if (error instanceof DuplicateKeyError) return { kind: 'duplicate', field: error.field };
  if (error instanceof MissingReferenceError) return { kind: 'missing', what: error.what };
  if (error instanceof ChatFullError) return { kind: 'chatFull' };
  if (error instanceof LastAdminError) return { kind: 'lastAdmin' };
  if (error instanceof QuotaError) return { kind: 'quota', quota: error.quota, isUsedUp: error.isUsedUp };
  if (error instanceof StoreUnavailableError) return { kind: 'unavailable', message: error.message };
  const { message, stack = '' } = Error.isError(error) ? error : new Error(String(error));
  return { kind: 'defect', message, stack };
};

/** The error as the caller's thread throws it. */
export const unpackError = (packed: PackedError): Error => {
  switch (packed.kind) {
    case 'duplicate':
      return new DuplicateKeyError(packed.field);
    case 'missing':
      return new MissingReferenceError(packed.what);
    case 'chatFull':
      return new ChatFullError();
    case 'lastAdmin':
      return new LastAdminError();
    case 'quota':
      return new QuotaError(packed.quota, packed.isUsedUp);
    case 'unavailable':
      return new StoreUnavailableError(packed.message);
    case 'defect':
      return Object.assign(new Error(packed.message), { stack: packed.stack });
  }
};
