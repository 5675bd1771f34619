import type { Usage } from '../../models/entities.ts';
import type { AttemptRecord } from '../llm/router.types.ts';
import type { LlmMessage, RawMessage } from '../llm/provider.ts';

/** How long the texts of one call were. */
export interface TextUnits {
  readonly prompt: number;
  readonly answer: number;
}

/** What a token has on average in English; in code and other languages less, so that a guess is rather low. */
const UNITS_PER_TOKEN = 4;

export const tokensOf = (units: number): number => Math.ceil(units / UNITS_PER_TOKEN);

/** UTF-16 units of what a model is sent. */
export const unitsOf = (messages: readonly (LlmMessage | RawMessage)[]): number =>
  messages.reduce((sum, { content }) => {
    if (content === undefined || content === null) return sum;
    return sum + (typeof content === 'string' ? content : JSON.stringify(content)).length;
  }, 0);

/**
 * Whether the endpoint did not tell what a call cost. It may have cost something even where no token came: tokens that a
 * broken connection swallowed are billed.
 */
export const isUnknown = ({ usage }: AttemptRecord): boolean => usage?.estimated ?? usage === null;

export const guessByLength = (units: TextUnits): Usage => {
  const promptTokens = tokensOf(units.prompt);
  const completionTokens = tokensOf(units.answer);
  return { promptTokens, completionTokens, totalTokens: promptTokens + completionTokens, estimated: true };
};

/**
 * What a call cost whose books cannot be had: the router's guess, or one by the length of the texts; what was sent alone, if no
 * token came of a call that was cut, since tokens may have been on their way. Nothing, if a call ended without a token: then
 * nothing is charged (openrouter.ai/docs, "Zero completion insurance"); nor if it never went out.
 */
export const guessUsage = ({ usage, firstTokenMs, isCut }: AttemptRecord, units: TextUnits): Usage | null => {
  if (usage) return usage;
  if (firstTokenMs === null) return isCut ? guessByLength({ ...units, answer: 0 }) : null;
  return guessByLength(units);
};
