export { createLlm, type Llm, type LlmTools } from './createLlm.ts';
export { ProviderError } from './provider.ts';
export type { FinishReason, LlmMessage, LlmPart, LlmProvider, LlmRequest, ProviderErrorKind } from './provider.ts';
export type { LlmRouter, ModelState, RoutedPart, RoutedRequest } from './router.types.ts';
