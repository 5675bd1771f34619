import type { Usage } from '../../models/entities.ts';

export interface LlmMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** One call to one model. */
export interface LlmRequest {
  readonly model: string;
  readonly messages: readonly LlmMessage[];
  readonly temperature: number;
  /** The most tokens that the model may answer with. */
  readonly maxTokens: number;
}

export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter';

export type LlmPart =
  | { readonly type: 'delta'; readonly text: string }
  | { readonly type: 'reasoning'; readonly text: string }
  | { readonly type: 'usage'; readonly usage: Usage }
  | { readonly type: 'finish'; readonly reason: FinishReason };

export type ProviderErrorKind =
  /** The request itself is wrong; another model would refuse it too. */
  | 'rejected'
  /** It is longer than the model's context window. */
  | 'context_too_long'
  /** The key or the account is refused. */
  | 'account'
  | 'rate_limited'
  | 'not_found'
  | 'unavailable'
  /** Connection refused, reset, or cut. */
  | 'network'
  /** No answer, or no more of it, in time. */
  | 'timeout'
  /** An answer that is none: empty, cut before a finish reason, not an event stream. */
  | 'invalid';

export class ProviderError extends Error {
  readonly kind: ProviderErrorKind;
  /** Whether another model, or the same one later, may do better. */
  readonly retryable: boolean;
  readonly retryAfterMs: number | null;

  constructor(kind: ProviderErrorKind, message: string, options: ErrorOptions & { retryAfterMs?: number | null } = {}) {
    super(message, options);
    this.name = 'ProviderError';
    this.kind = kind;
    this.retryable = kind !== 'rejected' && kind !== 'context_too_long';
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

/**
 * One endpoint that speaks OpenAI's chat completions.
 * The stream ends normally only after a `finish` part; everything else is a `ProviderError`.
 * Aborting the signal closes the upstream connection and makes the stream throw the signal's reason.
 */
export interface LlmProvider {
  stream(request: LlmRequest, signal: AbortSignal): AsyncIterable<LlmPart>;
  /** The slugs that the endpoint offers. @throws ProviderError */
  listModels(signal: AbortSignal): Promise<readonly string[]>;
}
