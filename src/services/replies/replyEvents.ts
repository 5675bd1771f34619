import type { Message } from '../../models/entities.ts';
import type { ReplyEvent } from '../../schemas/events.ts';
import { replyProblem } from '../../schemas/message.schemas.ts';

/** The last event of a reply that is final. `message.status` must be final. */
export const lastEventOf = (message: Message): ReplyEvent => {
  const base = { chatId: message.chatId, messageId: message.id, length: message.content.length };
  switch (message.status) {
    case 'complete':
    case 'stopped':
      return {
        ...base,
        type: 'end',
        status: message.status,
        model: message.model,
        usage: message.usage,
        finishReason: message.finishReason,
        latencyMs: message.latencyMs,
      };
    case 'interrupted':
      return { ...base, type: 'failed', status: 'interrupted', error: replyProblem(message) };
    default:
      return { ...base, type: 'failed', status: 'failed', error: replyProblem(message) };
  }
};

/** The first event of a reply, for a client that holds nothing of it. */
export const startEventOf = (message: Message, clientMessageId: string): ReplyEvent => ({
  type: 'start',
  chatId: message.chatId,
  messageId: message.id,
  userMessageId: message.parentId ?? '',
  clientMessageId,
  model: message.model,
});

/** The text behind `offset`; a `reset` first for a client that holds more than there is (a power loss took it back). */
export function* textEvents(message: Message, offset: number): Generator<ReplyEvent> {
  const base = { chatId: message.chatId, messageId: message.id };
  const { length } = message.content;
  if (offset > length) yield { ...base, type: 'reset', length };
  if (offset < length) yield { ...base, type: 'delta', offset, text: message.content.slice(offset) };
}
