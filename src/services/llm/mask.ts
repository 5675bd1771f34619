import type { LlmRequest } from './provider.ts';

/** So many characters in a row of a request, found in an error, are a quotation and no chance. */
const QUOTE_CHARS = 12;

const quotes = (text: string, said: string): boolean => {
  for (let at = 0; at + QUOTE_CHARS <= text.length; at += 1) {
    if (said.includes(text.slice(at, at + QUOTE_CHARS))) return true;
  }
  return false;
};

/** Takes out of an endpoint's words what no log may hold; empty when nothing is left of them. */
export type Mask = (text: string) => string;

/**
 * For the words with which an endpoint refuses a call: the server's own key is taken out of them, and words that quote what
 * was said in the chat are dropped, since a quotation cannot be cut out of text that may have shortened or escaped it.
 * @param maxChars as many characters as will be used: later ones are not searched
 */
export const createMask =
  (apiKey: string | null, maxChars: number) =>
  (request: Pick<LlmRequest, 'messages' | 'extra'> | null): Mask =>
  (text) => {
    const words = (apiKey === null ? text : text.replaceAll(apiKey, '***')).slice(0, maxChars);
    if (request === null) return words;
    return quotes(words, JSON.stringify([request.messages, request.extra])) ? '' : words;
  };
