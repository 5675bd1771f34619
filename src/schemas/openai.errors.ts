import { z } from 'zod';
import { errorSpec, type ErrorCode } from '../lib/errorCodes.ts';
import { AppError } from '../lib/errors.ts';

/** An error as OpenAI's SDKs read it (platform.openai.com/docs/guides/error-codes). */
export const openAiErrorSchema = z
  .strictObject({
    error: z.strictObject({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable().meta({ description: 'The field that is wrong' }),
      code: z.string().nullable(),
    }),
  })
  .meta({ id: 'OpenAiError' });
export type OpenAiErrorBody = z.infer<typeof openAiErrorSchema>;

/** A refusal in OpenAI's words; only the door at `/v1` speaks them. */
export interface OpenAiRefusal {
  readonly status: number;
  readonly type: string;
  readonly code: string;
  readonly message: string;
  readonly param?: string | null;
  readonly retryAfterMs?: number | null;
  /** Everything was tried already: the SDKs, which otherwise try again twice, are told not to. */
  readonly isFinal?: boolean;
  readonly cause?: unknown;
}

export class OpenAiError extends Error {
  readonly status: number;
  readonly body: OpenAiErrorBody;
  readonly retryAfterMs: number | null;
  readonly isFinal: boolean;

  constructor({ status, type, code, message, param = null, ...rest }: OpenAiRefusal) {
    super(message, { cause: rest.cause });
    this.name = 'OpenAiError';
    this.status = status;
    this.body = { error: { message, type, param, code } };
    this.retryAfterMs = rest.retryAfterMs ?? null;
    this.isFinal = rest.isFinal ?? false;
  }
}

/** OpenAI's names for what has one; all else goes by its own code. */
const CODES: Partial<Record<ErrorCode, string>> = {
  VALIDATION_FAILED: 'invalid_value',
  MODEL_NOT_AVAILABLE: 'model_not_found',
  CONTEXT_TOO_LONG: 'context_length_exceeded',
  MODEL_REFUSED: 'model_refused',
  UNAUTHENTICATED: 'invalid_api_key',
  TOKEN_EXPIRED: 'invalid_api_key',
  TOKEN_INVALID: 'invalid_api_key',
  TOKEN_REVOKED: 'invalid_api_key',
  NOT_FOUND: 'unknown_url',
  METHOD_NOT_ALLOWED: 'method_not_supported',
  PAYLOAD_TOO_LARGE: 'request_too_large',
  RATE_LIMITED: 'rate_limit_exceeded',
  QUOTA_EXCEEDED: 'insufficient_quota',
  INTERNAL: 'internal_error',
  LLM_FAILED: 'bad_gateway',
  LLM_TIMEOUT: 'timeout',
  LLM_UNAVAILABLE: 'overloaded',
  STORE_UNAVAILABLE: 'overloaded',
  SHUTTING_DOWN: 'overloaded',
};
/** Of these the status at this door differs. */
const STATUS: Partial<Record<ErrorCode, number>> = { MODEL_NOT_AVAILABLE: 404 };
const PARAMS: Partial<Record<ErrorCode, string>> = { MODEL_NOT_AVAILABLE: 'model', CONTEXT_TOO_LONG: 'messages' };
const MESSAGES: Partial<Record<ErrorCode, string>> = {
  UNAUTHENTICATED: 'Send an API key or an access token as `Authorization: Bearer …`',
  MODEL_NOT_AVAILABLE: 'There is no such model here: ask GET /v1/models',
};
/** A quota that comes free later than this is worth no automatic second try. */
const MAX_QUOTA_WAIT_MS = 60_000;

const typeOf = (status: number, code: ErrorCode): string => {
  if (code === 'QUOTA_EXCEEDED') return 'insufficient_quota';
  if (status === 429) return 'rate_limit_error';
  if (status === 403) return 'permission_error';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
};

/** `messages.0.content` as OpenAI writes it: `messages[0].content`. */
const paramOf = (path: string): string => path.replace(/\.(\d+)(?=\.|$)/g, '[$1]');

/** Which field is wrong, of an error that names fields; the first of them, as the SDKs know only one. */
const fieldOf = (error: AppError): { readonly param: string | null; readonly message: string | null } => {
  const first = error.errors?.[0];
  if (first === undefined) return { param: PARAMS[error.code] ?? null, message: null };
  const param = paramOf(first.path);
  return { param: param || null, message: param === '' ? `The body ${first.message}` : `'${param}' ${first.message}` };
};

const hasWaitedInVain = ({ code, retryAfterMs }: AppError): boolean =>
  code === 'QUOTA_EXCEEDED' && (retryAfterMs ?? Infinity) > MAX_QUOTA_WAIT_MS;

/** Any thrown value as this door tells it. What is no error of ours becomes `internal_error` and tells nothing. */
export const toOpenAiError = (error: unknown): OpenAiError => {
  if (error instanceof OpenAiError) return error;
  const known = error instanceof AppError ? error : new AppError('INTERNAL', { cause: error });
  const spec = errorSpec(known.code);
  const status = STATUS[known.code] ?? spec.status;
  const { param, message } = fieldOf(known);
  return new OpenAiError({
    status,
    type: typeOf(status, known.code),
    code: CODES[known.code] ?? known.code.toLowerCase(),
    message: message ?? known.detail ?? MESSAGES[known.code] ?? spec.title,
    param,
    retryAfterMs: known.retryAfterMs ?? null,
    isFinal: hasWaitedInVain(known),
    cause: error,
  });
};
