import type { Actor } from '../auth/actor.ts';
import type { RawMessage } from '../llm/provider.ts';
import type { RoutedPart } from '../llm/router.types.ts';

/** One question to a model, with everything that the model is to know: nothing of it is kept. */
export interface CompletionRequest {
  /** A slug in rotation, `auto`, or what else the router understands. */
  readonly model: string;
  /** Requests with the same one are parts of one conversation, as far as the router keeps those together. */
  readonly conversation: string;
  readonly messages: readonly RawMessage[];
  /** Null: the model's own default. */
  readonly temperature: number | null;
  /** The most tokens that the client wants; null: it did not say. */
  readonly maxTokens: number | null;
  /** Further fields for the model's endpoint. */
  readonly extra: Readonly<Record<string, unknown>>;
  /** Whether another model may continue an answer that broke off; undefined: as configured. Nothing to a sink that `isWhole`. */
  readonly continues?: boolean | undefined;
}

/** Where an answer goes while it is generated. */
export interface CompletionSink {
  /** Aborted when nobody wants the rest; the model is let go at once. */
  readonly signal: AbortSignal;
  /**
   * Whether nobody sees anything of the answer before its end, so that another model may begin it anew. The sink then forgets
   * what it has taken at each `restart` part.
   */
  readonly isWhole?: boolean;
  /** Takes the next part. A `usage` comes once, before the `finish`, and is of all models whose parts are in the answer (`AnswerUsage`). A promise means: no more until it has resolved, which it does at the latest with the abort. */
  take(part: RoutedPart): Promise<void> | undefined;
}

/** Stateless answers of models: what the native doors do, without chats and without a store of text. */
export interface CompletionService {
  /**
   * Hands one answer to the sink and resolves when it is complete, its `finish` part taken. Of each call to a model is
   * kept what it cost, whatever the end.
   * @throws AppError `MODEL_NOT_AVAILABLE`, `QUOTA_EXCEEDED`, `SHUTTING_DOWN`, `STORE_UNAVAILABLE`; `LLM_FAILED` for an
   *   answer without an end
   * @throws ProviderError when no model answered, or the answer broke off; the signal's reason after an abort
   */
  run(actor: Actor, request: CompletionRequest, sink: CompletionSink): Promise<void>;
  /** Lets what runs finish for so long, then ends it with `SHUTTING_DOWN`. */
  close(graceMs: number): Promise<void>;
}
