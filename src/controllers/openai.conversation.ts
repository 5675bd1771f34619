import { hash } from 'node:crypto';
import type { CompletionMessage } from '../schemas/openai.schemas.ts';

/** Characters of each message that tell one conversation from another. */
const OPENING_CHARS = 4_096;

const textIn = (part: unknown): unknown =>
  typeof part === 'object' && part !== null && 'text' in part ? part.text : null;

/** The beginning of a message's text; pictures are too long to look at. */
const beginningOf = ({ content }: CompletionMessage): string => {
  const texts: unknown[] = Array.isArray(content) ? content.map((part: unknown) => textIn(part)) : [content];
  return texts
    .filter((text) => typeof text === 'string')
    .join('\n')
    .slice(0, OPENING_CHARS);
};

/** What is the same in each request of a conversation: all up to its first question, and nothing of what came of that. */
const openingOf = (messages: readonly CompletionMessage[]): readonly CompletionMessage[] => {
  const asked = messages.findIndex(({ role }) => role === 'user');
  if (asked >= 0) return messages.slice(0, asked + 1);
  const answered = messages.findIndex(({ role }) => role !== 'system');
  return answered < 0 ? messages : messages.slice(0, answered);
};

/**
 * One name for all requests of a conversation and one owner: what the client calls it, or else how it began. Conversations
 * of one owner that began alike have the same one.
 */
export const conversationOf = (
  ownerId: string,
  named: string | null,
  messages: readonly CompletionMessage[],
): string => {
  const opening = (): string => openingOf(messages).map(beginningOf).join('\0');
  return hash('sha256', `${ownerId}\n${named ?? opening()}`, 'base64url');
};
