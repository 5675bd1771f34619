import type { LlmRequest } from './provider.ts';

/** Whether the endpoint is OpenRouter's own; what only it understands is sent to nobody else. */
export const isOpenRouter = (baseUrl: string): boolean => {
  const { hostname } = new URL(baseUrl);
  return hostname === 'openrouter.ai' || hostname.endsWith('.openrouter.ai');
};

/** The context is trimmed here already, to whole turns: OpenRouter's own cutting would take out the middle unseen. */
const UNCOMPRESSED = [{ id: 'context-compression', enabled: false }] as const;

/**
 * The body of a `chat/completions` request. What is ours comes last, so that nothing in `extra` can take its place;
 * what is undefined is not sent.
 */
export const toChatBody = (request: LlmRequest, isToOpenRouter: boolean): Readonly<Record<string, unknown>> => ({
  ...request.extra,
  model: request.model,
  messages: request.messages,
  temperature: request.temperature ?? undefined,
  max_tokens: request.maxTokens ?? undefined,
  stream: true,
  stream_options: { include_usage: true },
  ...(isToOpenRouter ? { plugins: UNCOMPRESSED, session_id: request.sessionId } : {}),
});
