import type { Usage } from '../../models/entities.ts';
import { countOf, fieldOf, isRecord, textOf } from './jsonValue.ts';
import type { OfferedModel } from './provider.ts';
import { providerError } from './providerErrors.ts';

const PICO_DIGITS = 12;
const DECIMAL = /^(\d{0,20})(?:\.(\d{0,40}))?(?:e([+-]?\d{1,2}))?$/i;
const MICRO_USD_PER_USD = 1e6;

/**
 * Prices are decimal strings in US dollars per token ("0.00000015"); of some endpoints, JSON numbers. The decimal point
 * is moved in the text, so that no price becomes a neighbour of itself.
 * @returns whole picodollars, rounded half up; null for what is no price (OpenRouter's -1: it depends on the request)
 */
export const picodollarsOf = (value: unknown): number | null => {
  const text = typeof value === 'number' ? String(value) : (textOf(value) ?? '');
  const match = DECIMAL.exec(text.trim());
  const [, whole = '', fraction = '', exponent = '0'] = match ?? [];
  if (whole + fraction === '') return null;
  // Where the point goes, counted from a digit that is put in front for those that round up from nothing.
  const pointAt = Math.max(0, 1 + whole.length + Number(exponent) + PICO_DIGITS);
  const digits = `0${whole}${fraction}`.padEnd(pointAt, '0');
  const roundedUp = Number(digits.charAt(pointAt) >= '5');
  return countOf(Number(digits.slice(0, pointAt)) + roundedUp);
};

/** The window that is there in fact: the provider in front may have less than the model. */
const contextLengthOf = (item: Readonly<Record<string, unknown>>): number | null => {
  const lengths = [
    item.context_length,
    fieldOf(item.top_provider, 'context_length'),
    // vLLM's name for it.
    item.max_model_len,
  ].flatMap((value) => countOf(value) ?? []);
  return lengths.length === 0 ? null : Math.min(...lengths);
};

const parametersOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.flatMap((name: unknown) => textOf(name) ?? []) : [];

const readEntry = (item: unknown): OfferedModel[] => {
  if (!isRecord(item)) return [];
  const slugs = new Set([item.id, item.canonical_slug].flatMap((slug) => textOf(slug) ?? []));
  const facts = {
    contextLength: contextLengthOf(item),
    promptPrice: picodollarsOf(fieldOf(item.pricing, 'prompt')),
    completionPrice: picodollarsOf(fieldOf(item.pricing, 'completion')),
    parameters: parametersOf(item.supported_parameters),
  };
  return [...slugs].map((slug) => ({ slug, ...facts }));
};

/**
 * The entries of a `GET /models` answer (openrouter.ai/docs, "Models"); an alias is an entry of its own.
 * @throws ProviderError `not_found` when it is no list
 */
export const readCatalogue = (json: unknown): OfferedModel[] => {
  const data = Array.isArray(json) ? json : fieldOf(json, 'data');
  if (!Array.isArray(data)) throw providerError('not_found', { cause: new Error('no list of models') });
  return data.flatMap(readEntry);
};

/**
 * The books in a `GET /generation` answer: the native counts are those that are charged
 * (openrouter.ai/docs, "Get request & usage metadata for a generation").
 * @returns null when there are none
 */
export const readGeneration = (json: unknown): Usage | null => {
  const data = fieldOf(json, 'data');
  const tokensOf = (name: string): number | null => countOf(fieldOf(data, name));
  const promptTokens = tokensOf('native_tokens_prompt') ?? tokensOf('tokens_prompt');
  const completionTokens = tokensOf('native_tokens_completion') ?? tokensOf('tokens_completion');
  if (promptTokens === null && completionTokens === null) return null;
  const known = { promptTokens: promptTokens ?? 0, completionTokens: completionTokens ?? 0 };
  const extras = {
    reasoningTokens: tokensOf('native_tokens_reasoning'),
    cachedTokens: tokensOf('native_tokens_cached'),
    costMicroUsd: countOf(Math.round(Number(fieldOf(data, 'total_cost') ?? NaN) * MICRO_USD_PER_USD)),
  };
  const told = Object.entries(extras).filter(([, value]) => value !== null);
  return { ...known, totalTokens: known.promptTokens + known.completionTokens, ...Object.fromEntries(told) };
};
