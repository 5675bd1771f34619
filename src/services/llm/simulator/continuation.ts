import type { SimulatedMessage } from './text.ts';

/** What the conversation asks to be continued, and how the answer must begin. */
export interface Continuation {
  /** The answer so far, as the client got it. */
  readonly partial: string;
  /** Its last characters, which the instruction quotes and the answer is to repeat; empty for a prefill. */
  readonly anchor: string;
  /** Whether the last message is the partial answer itself (a prefill), instead of an instruction about it. */
  readonly isPrefill: boolean;
  /** The messages before the partial answer: what the answer is about. */
  readonly messages: readonly SimulatedMessage[];
}

/** A quotation that is shorter could stand in any sentence. */
const MIN_ANCHOR_CHARS = 8;
const MAX_ANCHOR_CHARS = 240;

/** Without such a word a question that happens to repeat the end of the last answer would be taken for an instruction. */
const ASKS_TO_GO_ON = /\b(cut off|continue|go on|repeat)\b/i;

/** The longest end of the partial answer that the instruction quotes, as it is or as JSON writes it. */
const quotedEnd = (partial: string, instruction: string): string | null => {
  const shortest = Math.min(MIN_ANCHOR_CHARS, partial.length);
  for (let length = Math.min(MAX_ANCHOR_CHARS, partial.length); length >= shortest && length > 0; length -= 1) {
    const end = partial.slice(-length);
    if (instruction.includes(end) || instruction.includes(JSON.stringify(end).slice(1, -1))) return end;
  }
  return null;
};

/**
 * Finds a request to go on: a partial answer as the last message (a prefill), or a partial answer followed by a user's
 * instruction that quotes its end (openrouter.ai has no such call: this is what routers do in the middle of a stream).
 * Null when the conversation is an ordinary one.
 */
export const findContinuation = (messages: readonly SimulatedMessage[]): Continuation | null => {
  const last = messages.at(-1);
  if (last?.role === 'assistant')
    return { partial: last.content, anchor: '', isPrefill: true, messages: messages.slice(0, -1) };
  const partial = messages.at(-2);
  if (last?.role !== 'user' || partial?.role !== 'assistant') return null;
  if (!ASKS_TO_GO_ON.test(last.content)) return null;
  const anchor = quotedEnd(partial.content, last.content);
  return anchor === null
    ? null
    : { partial: partial.content, anchor, isPrefill: false, messages: messages.slice(0, -2) };
};

/**
 * What follows the partial answer in the whole text. A text that does not contain the end of the partial answer, because
 * another model began it, follows from its beginning.
 */
export const restOf = (text: string, { partial, anchor }: Continuation): string => {
  if (partial !== '' && text.startsWith(partial)) return text.slice(partial.length);
  const at = anchor === '' ? -1 : text.indexOf(anchor);
  return at === -1 ? ` ${text}` : text.slice(at + anchor.length);
};

/** The anchor, and then the rest of the text: what a model that does as it is told answers. */
export const continued = (text: string, continuation: Continuation | null): string =>
  continuation === null ? text : continuation.anchor + restOf(text, continuation);
