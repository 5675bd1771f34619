/** One message of a branch as the context needs it. */
export interface ContextMessage {
  readonly id: string;
  readonly parentId: string | null;
  readonly role: 'user' | 'assistant' | 'system';
  readonly content: string;
  /** Once counted. */
  readonly tokens: number | null;
}

/** What a chat format adds to each message, in tokens (OpenAI's cookbook counts 3, and a name for some). */
export const MESSAGE_OVERHEAD_TOKENS = 4;

/** No tokenizer makes more tokens of a text than it has UTF-8 bytes, so this needs no tokenizer. */
export const mostTokens = (content: string): number => Buffer.byteLength(content) + MESSAGE_OVERHEAD_TOKENS;

/** Messages grouped into turns: a user message with all that follows it up to the next one. */
const toTurns = (messages: readonly ContextMessage[]): ContextMessage[][] => {
  const turns: ContextMessage[][] = [];
  for (const message of messages) {
    if (message.role === 'user' || turns.length === 0) turns.push([message]);
    else turns.at(-1)?.push(message);
  }
  return turns;
};

export interface WindowLimits {
  readonly maxMessages: number;
  /** Tokens that the messages may have together; the system prompt is taken off before. */
  readonly maxTokens: number;
}

/**
 * The newest whole turns that fit, oldest first. The last turn, the one that is being answered, is always in.
 * @param messages a branch, oldest first, ending with the message to be answered
 */
export const chooseWindow = (
  messages: readonly ContextMessage[],
  tokensOf: (message: ContextMessage) => number,
  limits: WindowLimits,
): ContextMessage[] => {
  const window: ContextMessage[] = [];
  let tokens = 0;
  for (const turn of toTurns(messages).reverse()) {
    const turnTokens = turn.reduce((sum, message) => sum + tokensOf(message), 0);
    const fits = window.length + turn.length <= limits.maxMessages && tokens + turnTokens <= limits.maxTokens;
    if (window.length > 0 && (!fits || turn[0]?.role !== 'user')) break;
    window.unshift(...turn);
    tokens += turnTokens;
  }
  return window;
};
