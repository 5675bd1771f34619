import type { Usage } from '../../models/entities.ts';
import type { LlmMessage, LlmPart, OfferedModel, ProviderErrorKind, RawMessage } from './provider.ts';

/** What one call of one model cost and came to. */
export interface AttemptRecord {
  /** 1 for the first attempt of a request. */
  readonly number: number;
  readonly model: string;
  /** Who ran the model behind the endpoint, and the endpoint's own id of the call; null: not told. */
  readonly provider: string | null;
  readonly generationId: string | null;
  /** Null: nothing was charged, as far as anybody knows. `estimated` when the endpoint never told. */
  readonly usage: Usage | null;
  /** Whether it went out and neither its end nor an error came back: what was not told may have been charged. */
  readonly isCut: boolean;
  /** Milliseconds from the start of the attempt; null: no token came. */
  readonly firstTokenMs: number | null;
  readonly durationMs: number;
  /** Why this model: `message`, `chat`, `picked`, `fast`, `cheap`, `probe`, or the error kind that the attempt before it ended with. */
  readonly chosenBy: string;
  readonly outcome: 'complete' | 'failed' | 'cancelled';
  /** A finish reason, an error kind, or why it was cancelled. */
  readonly reason: ProviderErrorKind | (string & {});
}

export interface RoutedRequest {
  /** A slug in rotation, `auto`, `auto:fast`, `auto:cheap`, or a comma-separated list of slugs to choose from. */
  readonly model: string;
  /** What `ROUTER_AFFINITY=chat` keeps together. */
  readonly chatId: string;
  readonly messages: readonly (LlmMessage | RawMessage)[];
  /** Undefined: what the configuration says. Null: the model's own default. */
  readonly temperature?: number | null;
  readonly maxTokens?: number | null;
  readonly extra?: Readonly<Record<string, unknown>>;
  /** Whether another model may continue an answer that broke off; undefined: `MID_STREAM_FAILOVER`. */
  readonly continues?: boolean;
  /**
   * Whether nobody is shown anything before the end. Then an answer that breaks off is begun anew by another model, after a
   * `restart` part, within the attempts and the longest time that one answer may take; it is never continued.
   */
  readonly isWhole?: boolean;
  /** Whether pieces after the first token may come a few at a time when many answers are read. */
  readonly isGathered?: boolean;
  /** Told once of each attempt, when it has ended, the cancelled ones too; may come after the stream itself has ended. */
  readonly onAttempt?: (record: AttemptRecord) => void;
}

/** What a provider sends, with the model that is asked named before its first part and at every change. */
export type RoutedPart =
  | LlmPart
  | { readonly type: 'model'; readonly model: string; readonly reason: string }
  /** All that came before is no part of the answer: text, thoughts, tool calls and usage. Only of a request that `isWhole`. */
  | { readonly type: 'restart' };

/**
 * `degraded`: asked as before, but less often; `open`: not asked, it failed; `half-open`: one call finds out whether it is
 * well again; `cooling`: not asked, it said so, or this minute's calls of `:free` models are spent.
 */
export type ModelHealthState = 'healthy' | 'degraded' | 'open' | 'half-open' | 'cooling';

export interface ModelState {
  readonly id: string;
  /** As configured. */
  readonly weight: number;
  readonly requests: number;
  readonly failures: number;
  /** Whether `auto` would take it for the next message; of none where the chat decides. */
  readonly next: boolean;
  readonly state: ModelHealthState;
  /** When it may be asked again; null: now. */
  readonly cooldownUntil: Date | null;
  /** Median of the recent times to the first visible text, in milliseconds; null: not asked lately. */
  readonly firstTokenMs: number | null;
  /** 0 to 1 over the recent past; null: not asked yet. */
  readonly successRate: number | null;
  /** The part of messages that `auto` gives it now, from 0 to 1. */
  readonly share: number;
  /** Null: the endpoint does not tell. */
  readonly offered: OfferedModel | null;
}

export interface LlmRouter {
  /** @throws ProviderError when no model that may be asked answered. */
  stream(request: RoutedRequest, signal: AbortSignal): AsyncIterable<RoutedPart>;
  /** Whether a send may ask for it: whatever `RoutedRequest.model` may be. */
  hasModel(model: string): boolean;
  models(): readonly ModelState[];
  /** Whether the built-in simulator answers. */
  readonly isSimulated: boolean;
}
