/**
 * Every error a client can meet, in one table: the code is stable, the rest may be reworded.
 * `docs/errors.md` is generated from it. `retryable` means that the same request, unchanged, can succeed later.
 */
interface ErrorSpec {
  readonly status: number;
  readonly title: string;
  readonly retryable: boolean;
  /** How loudly the server logs it: clients' mistakes at `info`, ours at `error`. */
  readonly logLevel: 'info' | 'warn' | 'error';
}

const spec = (status: number, title: string, extra: Partial<ErrorSpec> = {}): ErrorSpec => ({
  status,
  title,
  retryable: false,
  logLevel: 'info',
  ...extra,
});
const later = { retryable: true, logLevel: 'warn' } as const;

export const ERROR_CODES = {
  VALIDATION_FAILED: spec(400, 'The request does not have the documented shape'),
  MALFORMED_JSON: spec(400, 'The body is not valid JSON in UTF-8'),
  CURSOR_INVALID: spec(400, 'The cursor was not made by this list'),
  MODEL_NOT_AVAILABLE: spec(400, 'The model is not in rotation'),
  CONTEXT_TOO_LONG: spec(400, 'The message does not fit the context window'),
  MODEL_REFUSED: spec(400, 'The model’s provider refused the request'),

  UNAUTHENTICATED: spec(401, 'Log in first'),
  INVALID_CREDENTIALS: spec(401, 'Wrong username or password'),
  TOKEN_EXPIRED: spec(401, 'The access token has expired: refresh it and retry'),
  TOKEN_INVALID: spec(401, 'The token is not valid'),
  TOKEN_REVOKED: spec(401, 'The login has ended: log in again'),
  SIGN_IN_FAILED: spec(401, 'The sign-in at the provider did not succeed: begin again'),
  MFA_REQUIRED: spec(401, 'A second factor is required'),

  FORBIDDEN: spec(403, 'Not allowed for this account'),
  ORIGIN_NOT_ALLOWED: spec(403, 'Requests from this origin are not allowed'),
  EMAIL_NOT_VERIFIED: spec(403, 'Verify the e-mail address first'),
  ACCOUNT_DISABLED: spec(403, 'The account is disabled'),
  SYSTEM_PROMPT_NOT_ALLOWED: spec(403, 'Clients may not set a system prompt here'),

  NOT_FOUND: spec(404, 'There is nothing at this address'),
  CHAT_NOT_FOUND: spec(404, 'No such chat'),
  MESSAGE_NOT_FOUND: spec(404, 'No such message'),
  LOGIN_NOT_FOUND: spec(404, 'No such login'),
  KEY_NOT_FOUND: spec(404, 'No such API key'),
  IDENTITY_NOT_FOUND: spec(404, 'No such identity'),
  USER_NOT_FOUND: spec(404, 'No such user'),

  METHOD_NOT_ALLOWED: spec(405, 'The address does not know this method'),
  NOT_ACCEPTABLE: spec(406, 'None of the accepted media types can be produced'),
  PAYLOAD_TOO_LARGE: spec(413, 'The body is too large'),
  UNSUPPORTED_MEDIA_TYPE: spec(415, 'The body must be JSON in UTF-8'),

  USERNAME_TAKEN: spec(409, 'The username is taken'),
  EMAIL_TAKEN: spec(409, 'The e-mail address is taken'),
  IDENTITY_TAKEN: spec(409, 'Another account is signed in to by this identity'),
  IDEMPOTENCY_CONFLICT: spec(409, 'The same message id was used for another message'),
  CHAT_BUSY: spec(409, 'The chat is still answering', { retryable: true }),
  CURSOR_EXPIRED: spec(410, 'The cursor is too old: start again without one'),

  RATE_LIMITED: spec(429, 'Too many requests', { retryable: true }),
  TOO_MANY_FAILURES: spec(429, 'Too many failed logins', { retryable: true }),
  QUOTA_EXCEEDED: spec(429, 'The quota is used up', { retryable: true }),

  INTERNAL: spec(500, 'Something went wrong on the server', { logLevel: 'error' }),
  LLM_FAILED: spec(502, 'The model could not answer', later),
  LLM_UNAVAILABLE: spec(503, 'No model is available', later),
  PROVIDER_UNAVAILABLE: spec(503, 'The sign-in provider cannot be reached', later),
  STORE_UNAVAILABLE: spec(503, 'The database is not available', { ...later, logLevel: 'error' }),
  SHUTTING_DOWN: spec(503, 'The server is restarting', { retryable: true }),
  LLM_TIMEOUT: spec(504, 'The model took too long', later),
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof ERROR_CODES;

export const errorSpec = (code: ErrorCode): ErrorSpec => ERROR_CODES[code];
