import { ERROR_CODES, type ErrorCode } from './errorCodes.ts';

/** One wrong field: `path` in dots, as the client sent it. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

export interface AppErrorOptions {
  /** For people, and public: no internals, no other owner's data. */
  readonly detail?: string;
  readonly errors?: readonly FieldError[];
  /** What really happened; goes to the log and never to a client. */
  readonly cause?: unknown;
  readonly retryAfterMs?: number;
  /** Ids and the like that the problem document carries beside the standard fields. */
  readonly extra?: Readonly<Record<string, string>>;
}

/** The one error that services throw. Every door renders it through `toProblem`. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  readonly errors: readonly FieldError[] | undefined;
  readonly retryAfterMs: number | undefined;
  readonly extra: Readonly<Record<string, string>> | undefined;

  constructor(code: ErrorCode, options: AppErrorOptions = {}) {
    super(options.detail ?? ERROR_CODES[code].title, { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.detail = options.detail;
    this.errors = options.errors;
    this.retryAfterMs = options.retryAfterMs;
    this.extra = options.extra;
  }
}

export const isAppError = (value: unknown, code?: ErrorCode): value is AppError =>
  value instanceof AppError && (code === undefined || value.code === code);
