import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '../../lib/errors.ts';
import { isFinal, type Message } from '../../models/entities.ts';
import type { Stores } from '../../models/stores.ts';
import type { ReplyEvent } from '../../schemas/events.ts';
import type { ReplyHandle, SettledReply } from './reply.ts';
import { lastEventOf, startEventOf, textEvents } from './replyEvents.ts';

/** Milliseconds between two looks at a reply that another node generates. */
const POLL_MS = 300;

export interface StoredReplyOptions {
  readonly stores: Pick<Stores, 'chats' | 'messages'>;
  readonly message: Message;
  readonly clientMessageId: string;
}

/** A reply that this node does not generate: read from the store, and looked at again until it is final. */
export const createStoredReply = ({ stores, message, clientMessageId }: StoredReplyOptions): ReplyHandle => {
  let latest = message;

  const reload = async (): Promise<void> => {
    const found = await stores.messages.findMessage(message.ownerId, message.id);
    if (!found) throw new AppError('MESSAGE_NOT_FOUND');
    latest = found;
  };

  const settled = async (): Promise<SettledReply> => {
    while (!isFinal(latest.status)) {
      await delay(POLL_MS, undefined, { ref: false });
      await reload();
    }
    const chat = await stores.chats.findChat(message.ownerId, message.chatId);
    if (!chat) throw new AppError('CHAT_NOT_FOUND');
    return { message: latest, chat };
  };

  let done: Promise<SettledReply> | null = null;

  async function* follow(offset: number, signal: AbortSignal): AsyncGenerator<ReplyEvent> {
    if (offset === 0) yield startEventOf(latest, clientMessageId);
    let position = offset;
    for (;;) {
      const seen = latest;
      yield* textEvents(seen, position);
      position = seen.content.length;
      if (isFinal(seen.status)) {
        yield lastEventOf(seen);
        return;
      }
      await delay(POLL_MS, undefined, { ref: false, signal }).catch(() => undefined);
      if (signal.aborted) return;
      await reload();
    }
  }

  return {
    messageId: message.id,
    chatId: message.chatId,
    follow,
    current: () => latest,
    done: () => (done ??= settled()),
  };
};
