import type { LlmMessage, LlmPart } from './provider.ts';

export interface RoutedRequest {
  /** A slug in rotation, or `auto`. */
  readonly model: string;
  /** What `ROUTER_AFFINITY=chat` keeps together. */
  readonly chatId: string;
  readonly messages: readonly LlmMessage[];
}

/** What a provider sends, with the model that is asked named before its first part and at every change. */
export type RoutedPart = LlmPart | { readonly type: 'model'; readonly model: string; readonly reason: string };

export interface ModelState {
  readonly id: string;
  readonly weight: number;
  readonly requests: number;
  readonly failures: number;
  /** Whether `auto` would take it for the next message; of none where the chat decides. */
  readonly next: boolean;
}

export interface LlmRouter {
  /** @throws ProviderError when no model that may be asked answered. */
  stream(request: RoutedRequest, signal: AbortSignal): AsyncIterable<RoutedPart>;
  /** Whether a send may ask for it: `auto`, or a slug in rotation. */
  hasModel(model: string): boolean;
  models(): readonly ModelState[];
  /** Whether the built-in simulator answers. */
  readonly isSimulated: boolean;
}
