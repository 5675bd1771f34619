import type { ErrorCode } from '../../lib/errorCodes.ts';
import { AppError } from '../../lib/errors.ts';
import type { FinalStatus, ReplyError } from '../../models/entities.ts';
import { ProviderError, type ProviderErrorKind } from '../llm/provider.ts';
import { ReplyStopped, type StopReason } from './liveReply.ts';

const CODE_OF_KIND: Readonly<Record<ProviderErrorKind, ErrorCode>> = {
  rejected: 'MODEL_REFUSED',
  context_too_long: 'CONTEXT_TOO_LONG',
  account: 'LLM_UNAVAILABLE',
  rate_limited: 'LLM_UNAVAILABLE',
  not_found: 'LLM_UNAVAILABLE',
  unavailable: 'LLM_UNAVAILABLE',
  network: 'LLM_FAILED',
  timeout: 'LLM_TIMEOUT',
  invalid: 'LLM_FAILED',
};

/** How a reply ends that nobody finished: the process went down in its midst, or is about to. */
export const INTERRUPTED: ReplyError = {
  code: 'LLM_FAILED',
  detail: 'The server stopped while it was answering; what was written is kept',
  retryAfterMs: null,
};

interface Ending {
  readonly status: FinalStatus;
  readonly error: ReplyError | null;
}

const STOPPED: Readonly<Record<StopReason, Ending>> = {
  stopped: { status: 'stopped', error: null },
  deleted: { status: 'stopped', error: null },
  shutdown: { status: 'interrupted', error: { ...INTERRUPTED, code: 'SHUTTING_DOWN', retryAfterMs: 1000 } },
  'lease-lost': { status: 'interrupted', error: INTERRUPTED },
};

/** What an error that ended a generation makes of the reply. */
export const endingOf = (error: unknown): Ending => {
  if (error instanceof ReplyStopped) return STOPPED[error.reason];
  if (error instanceof ProviderError) {
    return {
      status: 'failed',
      error: { code: CODE_OF_KIND[error.kind], detail: null, retryAfterMs: error.retryAfterMs },
    };
  }
  if (error instanceof AppError) {
    return {
      // The database went away before a model was asked: the same message again starts the reply.
      status: error.code === 'STORE_UNAVAILABLE' ? 'interrupted' : 'failed',
      error: { code: error.code, detail: error.detail ?? null, retryAfterMs: error.retryAfterMs ?? null },
    };
  }
  return { status: 'failed', error: { code: 'INTERNAL', detail: null, retryAfterMs: null } };
};
