import type { Server } from 'socket.io';
import type { Logger } from '../lib/logger.ts';
import { toChatView } from '../schemas/chat.schemas.ts';
import { toMessageView } from '../schemas/message.schemas.ts';
import type { ServerEvents } from '../schemas/socketEvents.ts';
import type { EventBus } from '../services/events.ts';
import type { ReplyHandle } from '../services/replies/index.ts';
import type { SocketData } from './ack.ts';
import { emitReplyEvent, type Emitter } from './replyEvents.ts';

/** The room of all sockets of one owner. */
export const userRoom = (ownerId: string): string => `user:${ownerId}`;

export type ChatServer = Server<Record<never, never>, ServerEvents, Record<never, never>, SocketData>;

export interface FanoutOptions {
  readonly io: ChatServer;
  readonly events: EventBus;
  readonly logger: Logger;
}

export interface Fanout {
  /** Up to which offset a reply was told to its owner's room; null when it is not being told there. */
  position(messageId: string): number | null;
  close(): void;
}

/**
 * Tells all of a user's devices on this node what happens. `io.local`, because each node tells its own sockets: with
 * several nodes nothing is told twice.
 */
export const startFanout = ({ io, events, logger }: FanoutOptions): Fanout => {
  const log = logger.child('fanout');
  const closing = new AbortController();
  const positions = new Map<string, number>();
  const hasSockets = (ownerId: string): boolean => io.of('/').adapter.rooms.has(userRoom(ownerId));
  const room = (ownerId: string): Emitter => io.local.to(userRoom(ownerId));

  /** Follows a reply also while its owner has no socket here: one may connect in its midst, and it costs a wake-up a tick. */
  const followReply = async (ownerId: string, reply: ReplyHandle): Promise<void> => {
    positions.set(reply.messageId, 0);
    try {
      for await (const event of reply.follow(0, closing.signal)) {
        if (hasSockets(ownerId)) emitReplyEvent(room(ownerId), event);
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
    events.subscribe('messageStored', ({ ownerId, message, chat }) => {
      if (hasSockets(ownerId))
        room(ownerId).emit('chat:message', { message: toMessageView(message), chat: toChatView(chat) });
    }),
    events.subscribe('messageUpdated', ({ ownerId, message }) => {
      if (hasSockets(ownerId)) room(ownerId).emit('chat:message-updated', { message: toMessageView(message) });
    }),
    events.subscribe('chatCreated', ({ ownerId, chat }) => {
      if (hasSockets(ownerId)) room(ownerId).emit('chat:created', { chat: toChatView(chat) });
    }),
    events.subscribe('chatUpdated', ({ ownerId, chat }) => {
      if (hasSockets(ownerId)) room(ownerId).emit('chat:updated', { chat: toChatView(chat) });
    }),
    events.subscribe('chatDeleted', ({ ownerId, chatId }) => {
      if (hasSockets(ownerId)) room(ownerId).emit('chat:deleted', { chatId });
    }),
  ];

  return {
    position: (messageId) => positions.get(messageId) ?? null,
    close: () => {
      closing.abort();
      for (const unsubscribe of subscriptions) unsubscribe();
    },
  };
};
