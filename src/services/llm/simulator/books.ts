import type { ModelSettings } from './catalogue.ts';
import type { SimulatedRequest } from './request.ts';
import { countTokens } from './text.ts';

/** What a model has said so far in one call. */
export interface Tally {
  text: string;
  reasoning: string;
  toolArguments: string;
  /** The text it set out to say. */
  planned: string;
  /** Prompt tokens that the prompt cache had. */
  cachedTokens: number;
  finishReason: string | null;
  /** Whether the request’s longest answer was shorter than what was to be said. */
  isCut: boolean;
  /** Whether the answer was an error, in the stream or instead of it. */
  isFailed: boolean;
}

export const newTally = (): Tally => ({
  text: '',
  reasoning: '',
  toolArguments: '',
  planned: '',
  cachedTokens: 0,
  finishReason: null,
  isCut: false,
  isFailed: false,
});

/** Why the answer ends: for the mode's reason, unless it had to end before. */
export const endReason = ({ isCut }: Tally, reason = 'stop'): string => (isCut ? 'length' : reason);

/** Tokens and their price, as billed. */
export interface Bill {
  readonly promptTokens: number;
  /** Reasoning included. */
  readonly completionTokens: number;
  readonly reasoningTokens: number;
  readonly cachedTokens: number;
  /** Whole millionths of a US dollar. */
  readonly costMicroUsd: number;
}

const NO_BILL: Bill = { promptTokens: 0, completionTokens: 0, reasoningTokens: 0, cachedTokens: 0, costMicroUsd: 0 };

interface Billed {
  readonly request: SimulatedRequest;
  readonly settings: ModelSettings;
  readonly tally: Tally;
}

/** The tokens of the prompt and of what was said, whoever pays them. */
export const measure = ({ request, settings, tally }: Billed): Bill => {
  const reasoningTokens = countTokens(tally.reasoning);
  const completionTokens = countTokens(tally.text) + countTokens(tally.toolArguments) + reasoningTokens;
  const { promptTokens } = request;
  const cost = promptTokens * settings.promptMicroUsd + completionTokens * settings.completionMicroUsd;
  const cachedTokens = Math.min(tally.cachedTokens, promptTokens);
  return { promptTokens, completionTokens, reasoningTokens, cachedTokens, costMicroUsd: Math.round(cost) };
};

/**
 * What a call costs. A failed one, and one that ended without a word and without a finish reason, is free ("Zero
 * completion insurance", openrouter.ai/docs). One that broke off, whoever broke it, is billed as far as it came; one
 * that the client gave up on is billed whole where the provider cannot stop, and always when it was not streamed.
 */
export const billOf = (billed: Billed, isAborted: boolean): Bill => {
  const { request, settings, tally } = billed;
  if (tally.isFailed || tally.finishReason === 'error') return NO_BILL;
  const isWhole = isAborted && tally.finishReason === null && (!settings.billsOnlySent || !request.stream);
  const isLonger = isWhole && tally.planned.length > tally.text.length;
  const bill = measure(isLonger ? { ...billed, tally: { ...tally, text: tally.planned } } : billed);
  return bill.completionTokens === 0 && tally.finishReason === null ? NO_BILL : bill;
};

/** How a call ended: `aborted` by the client, `broken` by the mode. */
export type Ending = 'completed' | 'failed' | 'broken' | 'aborted';

/** One call in `GET /generation`. */
export interface Generation extends Bill {
  readonly id: string;
  readonly model: string;
  readonly provider: string;
  readonly finishReason: string | null;
  readonly ending: Ending;
  readonly isStreamed: boolean;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly settledAt: number;
  /** Milliseconds to the first token; null: there was none. */
  readonly ttftMs: number | null;
}

/** All calls so far that have ended. */
export interface ModelBooks extends Bill {
  readonly calls: number;
  readonly completed: number;
  readonly failed: number;
  readonly broken: number;
  readonly aborted: number;
  /** The most calls that ran at the same time; in the total: of one model. */
  readonly maxInFlight: number;
}

export interface Books {
  readonly total: ModelBooks;
  readonly models: Readonly<Record<string, ModelBooks>>;
}

export const EMPTY_BOOKS: ModelBooks = {
  ...NO_BILL,
  calls: 0,
  completed: 0,
  failed: 0,
  broken: 0,
  aborted: 0,
  maxInFlight: 0,
};

export const addTo = (books: ModelBooks, bill: Bill, ending: Ending): ModelBooks => ({
  ...books,
  calls: books.calls + 1,
  [ending]: books[ending] + 1,
  promptTokens: books.promptTokens + bill.promptTokens,
  completionTokens: books.completionTokens + bill.completionTokens,
  reasoningTokens: books.reasoningTokens + bill.reasoningTokens,
  cachedTokens: books.cachedTokens + bill.cachedTokens,
  costMicroUsd: books.costMicroUsd + bill.costMicroUsd,
});

/** The usage object of an answer (openrouter.ai/docs, "Usage accounting"); `cost` in US dollars. */
export const usageView = (bill: Bill): Readonly<Record<string, unknown>> => ({
  prompt_tokens: bill.promptTokens,
  completion_tokens: bill.completionTokens,
  total_tokens: bill.promptTokens + bill.completionTokens,
  cost: bill.costMicroUsd / 1e6,
  is_byok: false,
  prompt_tokens_details: { cached_tokens: bill.cachedTokens },
  completion_tokens_details: { reasoning_tokens: bill.reasoningTokens },
});

/** The answer of `GET /generation?id=`. */
export const generationView = (generation: Generation) => ({
  data: {
    id: generation.id,
    model: generation.model,
    provider_name: generation.provider,
    created_at: new Date(generation.startedAt).toISOString(),
    streamed: generation.isStreamed,
    cancelled: generation.ending === 'aborted',
    finish_reason: generation.finishReason,
    native_finish_reason: generation.finishReason,
    tokens_prompt: generation.promptTokens,
    tokens_completion: generation.completionTokens,
    native_tokens_prompt: generation.promptTokens,
    native_tokens_completion: generation.completionTokens,
    native_tokens_reasoning: generation.reasoningTokens,
    native_tokens_cached: generation.cachedTokens,
    total_cost: generation.costMicroUsd / 1e6,
    usage: generation.costMicroUsd / 1e6,
    is_byok: false,
    upstream_id: null,
    latency: generation.ttftMs,
    generation_time: generation.settledAt - generation.startedAt,
  },
});
