import { OpenAiError, toOpenAiError, type OpenAiRefusal } from '../schemas/openai.errors.ts';
import { ProviderError, type ProviderErrorKind } from '../services/llm/index.ts';

const overloaded = { status: 503, type: 'server_error', code: 'overloaded' } as const;
const badGateway = { status: 502, type: 'server_error', code: 'bad_gateway' } as const;

/** What is the server's own matter with its endpoint (its key, its money, its limits) is no status of the client's. */
const REFUSAL_OF_KIND: Readonly<Record<ProviderErrorKind, Omit<OpenAiRefusal, 'message'>>> = {
  rejected: { status: 400, type: 'invalid_request_error', code: 'model_refused' },
  context_too_long: {
    status: 400,
    type: 'invalid_request_error',
    code: 'context_length_exceeded',
    param: 'messages',
  },
  account: overloaded,
  rate_limited: overloaded,
  not_found: overloaded,
  unavailable: overloaded,
  network: badGateway,
  timeout: { status: 504, type: 'server_error', code: 'timeout' },
  invalid: badGateway,
};

/**
 * Why there is no answer, as OpenAI's SDKs understand it.
 * @param attempts how often a model was asked; after a try in vain the SDKs are told not to multiply it by their own
 */
export const toCompletionFailure = (error: unknown, attempts: number): OpenAiError => {
  if (!(error instanceof ProviderError)) return toOpenAiError(error);
  return new OpenAiError({
    ...REFUSAL_OF_KIND[error.kind],
    message: error.kind === 'account' ? 'No model is available' : error.message,
    retryAfterMs: error.retryAfterMs,
    isFinal: attempts > 0,
    cause: error,
  });
};
