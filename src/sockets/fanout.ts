import { setImmediate } from 'node:timers/promises';
import type { Logger } from '../lib/logger.ts';
import { toChatView } from '../schemas/chat.schemas.ts';
import { toMessageView } from '../schemas/message.schemas.ts';
import type { EventBus } from '../services/events.ts';
import type { ReplyHandle } from '../services/replies/index.ts';
import type { LiveDoor } from './liveClient.ts';
import { emitReplyEvent, type Emitter } from './replyEvents.ts';

export interface FanoutOptions {
  readonly doors: readonly Pick<LiveDoor, 'has' | 'room'>[];
  readonly events: EventBus;
  readonly logger: Logger;
}

export interface Fanout {
  /** Up to which offset a reply was told to its owner's room; null when it is not being told there. */
  position(messageId: string): number | null;
  close(): void;
}

/**
 * Tells all of a user's devices on this node what happens, at whichever live door they are. Each node tells its own
 * clients: with several nodes nothing is told twice.
 */
export const startFanout = ({ doors, events, logger }: FanoutOptions): Fanout => {
  const log = logger.child('fanout');
  const closing = new AbortController();
  const positions = new Map<string, number>();

  /** The view is made only if there is someone to see it. */
  const tellNow = (ownerId: string, emit: (to: Emitter) => void): void => {
    for (const door of doors) if (door.has(ownerId)) emit(door.room(ownerId));
  };
  /** A turn of the loop later: who caused it gets the answer to the call before the event. */
  const tell = (ownerId: string, emit: (to: Emitter) => void): void => {
    void setImmediate().then(() => tellNow(ownerId, emit));
  };

  /** Follows a reply also while its owner has no client here: one may connect in its midst, and it costs a wake-up a tick. */
  const followReply = async (ownerId: string, reply: ReplyHandle): Promise<void> => {
    positions.set(reply.messageId, 0);
    await setImmediate();
    try {
      for await (const event of reply.follow(0, closing.signal)) {
        tellNow(ownerId, (to) => emitReplyEvent(to, event));
        if (event.type === 'delta') positions.set(reply.messageId, event.offset + event.text.length);
      }
    } finally {
      positions.delete(reply.messageId);
    }
  };

  const subscriptions = [
    events.subscribe('replyStarted', ({ ownerId, reply }) => {
      followReply(ownerId, reply).catch((error: unknown) => {
        log.error('a reply could not be followed', { messageId: reply.messageId, err: error });
      });
    }),
    events.subscribe('messageStored', ({ ownerId, message, chat }) =>
      tell(ownerId, (to) => to.emit('chat:message', { message: toMessageView(message), chat: toChatView(chat) })),
    ),
    events.subscribe('messageUpdated', ({ ownerId, message }) =>
      tell(ownerId, (to) => to.emit('chat:message-updated', { message: toMessageView(message) })),
    ),
    events.subscribe('chatCreated', ({ ownerId, chat }) =>
      tell(ownerId, (to) => to.emit('chat:created', { chat: toChatView(chat) })),
    ),
    events.subscribe('chatUpdated', ({ ownerId, chat, deletedMessageIds }) =>
      tell(ownerId, (to) =>
        to.emit('chat:updated', { chat: toChatView(chat), ...(deletedMessageIds && { deletedMessageIds }) }),
      ),
    ),
    events.subscribe('chatDeleted', ({ ownerId, chatId }) =>
      tell(ownerId, (to) => to.emit('chat:deleted', { chatId })),
    ),
  ];

  return {
    position: (messageId) => positions.get(messageId) ?? null,
    close: () => {
      closing.abort();
      for (const unsubscribe of subscriptions) unsubscribe();
    },
  };
};
