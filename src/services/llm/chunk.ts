import type { Usage } from '../../models/entities.ts';
import { countOf, fieldOf, isRecord, textOf } from './jsonValue.ts';
import type { ExtraPart, FinishReason } from './provider.ts';

/** What one `chat.completion.chunk` says; absent things are null. */
export interface Chunk {
  readonly text: string | null;
  /** A refusal in the model's own words. */
  readonly refusal: string | null;
  readonly reasoning: string | null;
  /** Pieces of OpenRouter's `reasoning_details`, each with its `index`. */
  readonly details: readonly unknown[] | null;
  /** Fragments of tool calls, each with its `index`. */
  readonly toolCalls: readonly unknown[] | null;
  readonly extra: ExtraPart | null;
  readonly usage: Usage | null;
  readonly finishReason: FinishReason | null;
  /** The error object, or null: a 200 stream can still carry one (openrouter.ai/docs, "Errors and debugging"). */
  readonly error: unknown;
}

const FINISH_REASONS: Readonly<Record<string, FinishReason>> = {
  stop: 'stop',
  length: 'length',
  max_tokens: 'length',
  tool_calls: 'tool_calls',
  function_call: 'tool_calls',
  content_filter: 'content_filter',
  safety: 'content_filter',
};

/** Compatible endpoints invent reasons of their own; whatever they call it, the model came to an end. */
const finishReasonOf = (value: unknown): FinishReason | null => {
  const reason = textOf(value);
  return reason === null ? null : (FINISH_REASONS[reason.toLowerCase()] ?? 'stop');
};

/** Content is a string, or of some endpoints a list of typed parts. */
const contentOf = (value: unknown): string | null => {
  if (!Array.isArray(value)) return textOf(value);
  return value.map((part: unknown) => textOf(fieldOf(part, 'text')) ?? '').join('') || null;
};

/** A list with anything in it. */
const listOf = (value: unknown): readonly unknown[] | null => (Array.isArray(value) && value.length > 0 ? value : null);

const isFilled = (value: unknown): boolean => listOf(value) !== null;

/** Pictures are an answer (openrouter.ai/docs, "Image generation"), citations and log probabilities only tell of one. */
const extraOf = (choice: unknown, delta: unknown): ExtraPart | null => {
  const images = listOf(fieldOf(delta, 'images'));
  const annotations = listOf(fieldOf(delta, 'annotations'));
  const told = fieldOf(choice, 'logprobs');
  const logprobs = isRecord(told) && Object.values(told).some(isFilled) ? told : null;
  if (images === null && annotations === null && logprobs === null) return null;
  const lists = { ...(images === null ? {} : { images }), ...(annotations === null ? {} : { annotations }) };
  return { type: 'extra', delta: lists, logprobs, hasContent: images !== null };
};

/** A whole message's calls have no index, which is what fragments are put together by. */
const toolCallsOf = (value: unknown): readonly unknown[] | null => {
  const calls = listOf(value);
  return (
    calls &&
    calls.map((call: unknown, index) => (isRecord(call) && call.index === undefined ? { index, ...call } : call))
  );
};

const MICRO_USD_PER_USD = 1e6;

const costOf = (usage: Readonly<Record<string, unknown>>): number | null =>
  typeof usage.cost === 'number' && usage.cost >= 0 ? countOf(Math.round(usage.cost * MICRO_USD_PER_USD)) : null;

/** The figures that not every endpoint gives. */
const extrasOf = (usage: Readonly<Record<string, unknown>>): Partial<Usage> => {
  const reasoningTokens = countOf(fieldOf(usage.completion_tokens_details, 'reasoning_tokens'));
  const cachedTokens = countOf(fieldOf(usage.prompt_tokens_details, 'cached_tokens'));
  const costMicroUsd = costOf(usage);
  return {
    ...(reasoningTokens === null ? {} : { reasoningTokens }),
    ...(cachedTokens === null ? {} : { cachedTokens }),
    ...(costMicroUsd === null ? {} : { costMicroUsd }),
  };
};

/**
 * The books of one answer; null when it is no usage object. `cost` is OpenRouter's, in US dollars
 * (openrouter.ai/docs, "Usage accounting").
 */
export const readUsage = (value: unknown): Usage | null => {
  if (!isRecord(value)) return null;
  const promptTokens = countOf(value.prompt_tokens);
  const completionTokens = countOf(value.completion_tokens);
  if (promptTokens === null && completionTokens === null) return null;
  const known = { promptTokens: promptTokens ?? 0, completionTokens: completionTokens ?? 0 };
  const totalTokens = countOf(value.total_tokens) ?? known.promptTokens + known.completionTokens;
  return { ...known, totalTokens, ...extrasOf(value) };
};

/** A top-level error, the choice's own, or the bare `finish_reason: "error"`. */
const errorOf = (json: Readonly<Record<string, unknown>>, choice: unknown): unknown => {
  const error = json.error ?? fieldOf(choice, 'error');
  if (error !== undefined && error !== null) return error;
  return fieldOf(choice, 'finish_reason') === 'error' ? {} : null;
};

/** Who sent the chunk: OpenRouter names its own id of the call and the provider behind it in each. */
export const readOrigin = (
  json: unknown,
): { readonly generationId: string | null; readonly provider: string | null } => ({
  generationId: textOf(fieldOf(json, 'id')),
  provider: textOf(fieldOf(json, 'provider')),
});

/**
 * Reads one chunk, or a whole `chat.completion` of an endpoint that does not stream. Only the first choice counts:
 * we never ask for more. No choice at all is normal: usage and debug chunks have none.
 * @returns null when the JSON is not an object
 */
export const readChunk = (json: unknown): Chunk | null => {
  if (!isRecord(json)) return null;
  const choice: unknown = Array.isArray(json.choices) ? json.choices[0] : undefined;
  const delta = fieldOf(choice, 'delta') ?? fieldOf(choice, 'message');
  return {
    text: contentOf(fieldOf(delta, 'content')),
    refusal: textOf(fieldOf(delta, 'refusal')),
    reasoning: textOf(fieldOf(delta, 'reasoning')) ?? textOf(fieldOf(delta, 'reasoning_content')),
    details: listOf(fieldOf(delta, 'reasoning_details')),
    toolCalls: toolCallsOf(fieldOf(delta, 'tool_calls')),
    extra: extraOf(choice, delta),
    usage: readUsage(json.usage),
    finishReason: finishReasonOf(fieldOf(choice, 'finish_reason')),
    error: errorOf(json, choice),
  };
};
