import { z } from 'zod';
import { errorSpec, type ErrorCode } from '../lib/errorCodes.ts';
import { AppError, type FieldError } from '../lib/errors.ts';

/** RFC 9457 problem details, the same at every door. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    detail: z.string(),
    requestId: z.string(),
    retryable: z.boolean(),
    retryAfterMs: z.int().optional(),
    mfaToken: z.string().optional().meta({ description: 'With `MFA_REQUIRED`: for `POST /api/auth/mfa`' }),
    errors: z.array(z.strictObject({ path: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem' });

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly requestId: string;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
  readonly errors?: readonly FieldError[];
}

/** Renders any thrown value for a client. What is not an `AppError` becomes `INTERNAL` and tells nothing. */
export const toProblem = (error: unknown, requestId: string): Problem => {
  const known = error instanceof AppError ? error : new AppError('INTERNAL', { cause: error });
  const { status, title, retryable } = errorSpec(known.code);
  return {
    type: `/docs/errors#${known.code}`,
    title,
    status,
    code: known.code,
    detail: known.detail ?? title,
    requestId,
    retryable,
    ...(known.retryAfterMs === undefined ? {} : { retryAfterMs: known.retryAfterMs }),
    ...(known.errors === undefined ? {} : { errors: known.errors }),
    ...known.extra,
  };
};

const pathOf = (path: readonly PropertyKey[]): string => path.map(String).join('.');

const fieldErrors = (error: z.ZodError): FieldError[] =>
  error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ path: pathOf([...issue.path, key]), message: 'is not a known field' }))
      : [{ path: pathOf(issue.path), message: issue.message }],
  );

const MAX_FIELD_ERRORS = 20;

/**
 * Checks a client's input against a schema.
 * @throws AppError `VALIDATION_FAILED` with every wrong field (the first 20)
 */
export const parseInput = <T>(schema: z.ZodType<T>, input: unknown): T => {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw new AppError('VALIDATION_FAILED', { errors: fieldErrors(result.error).slice(0, MAX_FIELD_ERRORS) });
};
