import type { Usage } from '../../models/entities.ts';

export interface LlmMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** A message as an OpenAI client sent it, several parts, tool calls and tool results included; it is passed on unread. */
export type RawMessage = Readonly<Record<string, unknown>> & { readonly role: string };

/** What becomes of a call on its way, for whoever has to guess what it cost; each is told at most once or means no more. */
export interface CallCourse {
  /** It goes out over a connection: from here on the endpoint may charge for it. */
  readonly sent: () => void;
  /** Its end came, or an error in place of it: what the endpoint has not told by now costs nothing. */
  readonly answered: () => void;
}

/** One call to one model. */
export interface LlmRequest {
  readonly model: string;
  readonly messages: readonly (LlmMessage | RawMessage)[];
  /** Null: the model's own default. */
  readonly temperature: number | null;
  /** The most tokens that the model may answer with; null: as many as the model likes. */
  readonly maxTokens: number | null;
  /** Further fields of the body, as an OpenAI client sent them (`tools`, `response_format`, `seed`, …); never those above. */
  readonly extra?: Readonly<Record<string, unknown>>;
  /** What OpenRouter keeps on one upstream provider for its prompt cache; other endpoints are not told. */
  readonly sessionId?: string;
  /** Whether pieces after the first token may come a few at a time when many answers are read (beat.ts). */
  readonly isGathered?: boolean;
  readonly course?: CallCourse;
}

/** What one call may differ in from the configured timeouts. */
export interface StreamTimeouts {
  /** Milliseconds; null: the first token may take as long as the whole answer. Undefined: the configured one. */
  readonly firstTokenMs?: number | null;
  /** Milliseconds for the whole answer. Undefined: the configured ones. */
  readonly totalMs?: number;
}

export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter';

/** What a chunk says besides, as the model sent it, for clients that know what to do with it. */
export interface ExtraPart {
  readonly type: 'extra';
  /** Lists of the delta: pieces of them belong one behind the other. */
  readonly delta: Readonly<Record<string, readonly unknown[]>>;
  /** Log probabilities of the tokens that came with it; null: none. */
  readonly logprobs: Readonly<Record<string, unknown>> | null;
  /** Whether there is an answer in it, such as a picture, and not only something about one. */
  readonly hasContent: boolean;
}

export type LlmPart =
  /** Who answers, as far as the endpoint tells; comes before the first token, and not at all from endpoints that do not tell. */
  | { readonly type: 'origin'; readonly generationId: string | null; readonly provider: string | null }
  | { readonly type: 'delta'; readonly text: string }
  /** A refusal in the model's own words (OpenAI's structured outputs), in place of text. */
  | { readonly type: 'refusal'; readonly text: string }
  /** A thought; `details` are the pieces of OpenRouter's `reasoning_details` that came with it, or without any text. */
  | { readonly type: 'reasoning'; readonly text: string; readonly details?: readonly unknown[] }
  /** Fragments of tool calls as the model sent them (`delta.tool_calls`), for a client that asked with `tools`. */
  | { readonly type: 'tool_calls'; readonly calls: readonly unknown[] }
  | ExtraPart
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

/** Whom a failure concerns: one model, all of OpenRouter's `:free` models, or everything that is asked with this key. */
export type FailureScope = 'model' | 'free' | 'key';

export interface ProviderErrorOptions extends ErrorOptions {
  readonly retryAfterMs?: number | null;
  /** `model` unless told. */
  readonly scope?: FailureScope;
}

export class ProviderError extends Error {
  readonly kind: ProviderErrorKind;
  readonly scope: FailureScope;
  /** Whether another model, or the same one later, may do better. */
  readonly retryable: boolean;
  readonly retryAfterMs: number | null;

  constructor(kind: ProviderErrorKind, message: string, options: ProviderErrorOptions = {}) {
    super(message, options);
    this.name = 'ProviderError';
    this.kind = kind;
    this.scope = options.scope ?? 'model';
    this.retryable = kind !== 'rejected' && kind !== 'context_too_long';
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

/** One entry of the endpoint's catalogue; null: it does not tell. */
export interface OfferedModel {
  readonly slug: string;
  /** Tokens of prompt and answer together. */
  readonly contextLength: number | null;
  /** Picodollars (10⁻¹² US dollar) per token, so that the cheapest of real prices is still an integer. */
  readonly promptPrice: number | null;
  readonly completionPrice: number | null;
  /** Names of what the endpoint says the model takes, such as `tools`; empty: it does not tell. */
  readonly parameters: readonly string[];
}

/**
 * One endpoint that speaks OpenAI's chat completions.
 * The stream ends normally only after a `finish` part; everything else is a `ProviderError`.
 * Aborting the signal closes the upstream connection and makes the stream throw the signal's reason. Who answered and
 * what it cost are sent before an error or such a reason, as far as they are known by then.
 */
export interface LlmProvider {
  stream(request: LlmRequest, signal: AbortSignal, timeouts?: StreamTimeouts): AsyncIterable<LlmPart>;
  /** What the endpoint offers, aliases included. @throws ProviderError */
  listModels(signal: AbortSignal): Promise<readonly OfferedModel[]>;
  /**
   * The books of a call whose stream did not tell them, from OpenRouter's `GET /generation`.
   * Null: the endpoint has no such thing, or does not know them (yet). @throws ProviderError
   */
  findUsage(generationId: string, signal: AbortSignal): Promise<Usage | null>;
}
