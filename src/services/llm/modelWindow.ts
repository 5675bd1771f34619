import type { LlmMessage, RawMessage } from './provider.ts';

type SentMessage = LlmMessage | RawMessage;

/** Tokens that stay free for what a model's own template adds and for the error of the estimate: 5 %. */
const SPARE = 0.05;
/** UTF-8 bytes per token: low for English (about 4), right for most other scripts, so that the estimate is on the safe side. */
const BYTES_PER_TOKEN = 3;
const MESSAGE_OVERHEAD_TOKENS = 4;
/** What a part of a message counts that is no text, such as a picture. */
const PART_TOKENS = 1000;

const textTokens = (text: string): number => Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN);

const partTokens = (part: unknown): number =>
  typeof part === 'object' && part !== null && 'text' in part && typeof part.text === 'string'
    ? textTokens(part.text)
    : PART_TOKENS;

/** A guess of a message's tokens, rather too high than too low. */
export const estimateTokens = ({ content, ...rest }: SentMessage): number => {
  const calls = 'tool_calls' in rest ? textTokens(JSON.stringify(rest.tool_calls ?? null)) : 0;
  if (typeof content === 'string') return textTokens(content) + calls + MESSAGE_OVERHEAD_TOKENS;
  if (!Array.isArray(content)) return calls + MESSAGE_OVERHEAD_TOKENS;
  return content.reduce((sum: number, part: unknown) => sum + partTokens(part), calls + MESSAGE_OVERHEAD_TOKENS);
};

const isInstruction = ({ role }: SentMessage): boolean => role === 'system' || role === 'developer';

/** A question with all that follows it up to the next one; so a tool's result stays with its call. */
const toTurns = (messages: readonly SentMessage[]): SentMessage[][] => {
  const turns: SentMessage[][] = [];
  for (const message of messages) {
    const last = turns.at(-1);
    if (message.role === 'user' || last === undefined) turns.push([message]);
    else last.push(message);
  }
  return turns;
};

export interface ModelLimits {
  /** Tokens of prompt and answer together; null: unknown. */
  readonly contextLength: number | null;
  /** Tokens that the answer may have; null: unknown. */
  readonly maxTokens: number | null;
}

/**
 * The messages that a model's own window has room for: the instructions, and the newest whole turns. The last turn is
 * always in: whether it really is too long is the endpoint's to say.
 */
export const fitWindow = (
  messages: readonly SentMessage[],
  { contextLength, maxTokens }: ModelLimits,
): readonly SentMessage[] => {
  if (contextLength === null) return messages;
  const budget = contextLength * (1 - SPARE) - (maxTokens ?? 0);
  const sizes = new Map(messages.map((message) => [message, estimateTokens(message)]));
  const sizeOf = (list: readonly SentMessage[]): number =>
    list.reduce((sum, message) => sum + (sizes.get(message) ?? 0), 0);
  let excess = sizeOf(messages) - budget;
  if (excess <= 0) return messages;
  const instructions = messages.filter(isInstruction);
  const turns = toTurns(messages.filter((message) => !isInstruction(message)));
  while (excess > 0 && turns.length > 1) excess -= sizeOf(turns.shift() ?? []);
  return [...instructions, ...turns.flat()];
};
