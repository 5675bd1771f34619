import type { RawMessage } from '../llm/provider.ts';
import { unitsOf } from '../usage/index.ts';

/**
 * What a picture or another part without text counts as, about a thousand tokens: providers charge some hundreds to two
 * thousand for one, however many characters of base64 it is sent as.
 */
const UNITS_PER_PART = 4_000;

const isTextPart = (part: unknown): boolean =>
  typeof part === 'object' && part !== null && 'text' in part && typeof part.text === 'string';

/** UTF-16 units that a conversation counts as, for what is set aside of a quota. */
export const promptUnitsOf = (messages: readonly RawMessage[]): number => {
  let parts = 0;
  const texts = messages.map((message): RawMessage => {
    if (!Array.isArray(message.content)) return message;
    const content = message.content.filter(isTextPart);
    parts += message.content.length - content.length;
    return { role: message.role, content };
  });
  return unitsOf(texts) + parts * UNITS_PER_PART;
};
