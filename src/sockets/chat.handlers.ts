import { AppError } from '../lib/errors.ts';
import { toChatView } from '../schemas/chat.schemas.ts';
import type { Page } from '../schemas/common.ts';
import { inPieces } from '../schemas/events.ts';
import type { SendAck } from '../schemas/control.schemas.ts';
import { toMessageView } from '../schemas/message.schemas.ts';
import { clientEvents } from '../schemas/socketEvents.ts';
import { toSyncView } from '../schemas/sync.schemas.ts';
import type { Actor } from '../services/auth/actor.ts';
import { toSendAck, type ChatService } from '../services/chat/index.ts';
import type { ReplyHandle } from '../services/replies/index.ts';
import { handle, type EventContext, type EventHandlers } from './ack.ts';
import type { LiveClient } from './liveClient.ts';
import { emitReplyEvent } from './replyEvents.ts';

export interface ChatHandlersOptions {
  readonly chat: ChatService;
  /** The actor of an access token. @throws AppError as for a request */
  readonly authenticateToken: (token: string) => Promise<Actor>;
  /** Up to which offset a reply was told to the user's room; null when it is not being told there. */
  readonly roomPosition: (messageId: string) => number | null;
}

const pageView = <T, V>(page: Page<T>, toView: (item: T) => V): Page<V> => ({
  items: page.items.map(toView),
  nextCursor: page.nextCursor,
});

type Follower = Pick<EventContext, 'socket' | 'whenDrained'>;

/** Sends this socket alone what it misses of a reply, as fast as it reads, and follows the reply to its end. */
const followAlone = async ({ socket, whenDrained }: Follower, reply: ReplyHandle, offset: number): Promise<void> => {
  for await (const event of reply.follow(offset, socket.data.departure.signal)) {
    for (const piece of inPieces(event)) await whenDrained(() => emitReplyEvent(socket, piece));
  }
};

/**
 * Sends this socket alone what it misses of a reply that goes on in the user's room: up to where the room is, so that
 * what comes next there fits without a gap and without an overlap.
 */
const catchUpWithRoom = (socket: LiveClient, reply: ReplyHandle, range: { from: number; to: number }): void => {
  const { content } = reply.current();
  const { messageId, chatId } = reply;
  if (range.from >= range.to) return;
  const text = content.slice(range.from, range.to);
  emitReplyEvent(socket, { type: 'delta', chatId, messageId, offset: range.from, text });
};

export const createChatHandlers = ({ chat, authenticateToken, roomPosition }: ChatHandlersOptions): EventHandlers => ({
  'chat:send': handle('chat', clientEvents['chat:send'], async (actor, input) =>
    toSendAck(await chat.sendMessage(actor, input)),
  ),

  'chat:regenerate': handle('chat', clientEvents['chat:regenerate'], async (actor, { messageId, ...input }) =>
    toSendAck(await chat.regenerate(actor, messageId, input)),
  ),

  'chat:edit': handle('chat', clientEvents['chat:edit'], async (actor, { messageId, ...input }) =>
    toSendAck(await chat.editMessage(actor, messageId, input)),
  ),

  'chat:batch': handle('chat', clientEvents['chat:batch'], async (actor, batch) => ({
    results: await chat.sendBatch(actor, batch),
  })),

  'chat:resume': handle('read', clientEvents['chat:resume'], async (actor, { messageId, offset }, context) => {
    const reply = await chat.getReply(actor, messageId);
    const { status, content } = reply.current();
    context.afterAck(() => {
      const to = roomPosition(messageId);
      if (to !== null) catchUpWithRoom(context.socket, reply, { from: offset, to });
      // It can only fail because the message was deleted meanwhile, and then the client is told so by `chat:deleted`.
      else followAlone(context, reply, offset).catch(() => undefined);
    });
    return { status, length: content.length };
  }),

  'chat:stop': handle('chat', clientEvents['chat:stop'], async (actor, { messageId }): Promise<SendAck> => {
    const stopped = await chat.stopReply(actor, messageId);
    return {
      chatId: stopped.chatId,
      userMessageId: stopped.parentId ?? '',
      messageId: stopped.id,
      clientMessageId: stopped.clientMessageId ?? '',
      status: stopped.status,
      duplicate: false,
    };
  }),

  'chat:sessions': handle('read', clientEvents['chat:sessions'], async (actor, query) =>
    pageView(await chat.listChats(actor, query), toChatView),
  ),

  'chat:history': handle('read', clientEvents['chat:history'], async (actor, { chatId, ...query }) =>
    pageView(await chat.listMessages(actor, chatId, query), toMessageView),
  ),

  'chat:rename': handle('chat', clientEvents['chat:rename'], async (actor, { chatId, title }) => ({
    chat: toChatView(await chat.updateChat(actor, chatId, { title })),
  })),

  'chat:delete': handle('chat', clientEvents['chat:delete'], async (actor, { chatId }) => {
    await chat.deleteChat(actor, chatId);
    return {};
  }),

  'chat:sync': handle('read', clientEvents['chat:sync'], async (actor, query) =>
    toSyncView(await chat.sync(actor, query)),
  ),

  'auth:refresh': handle('read', clientEvents['auth:refresh'], async (actor, { token }, { socket }) => {
    const next = await authenticateToken(token);
    if (next.userId !== actor.userId)
      throw new AppError('FORBIDDEN', { detail: 'The token belongs to another account' });
    socket.data.actor = next;
    socket.data.isExpiryTold = false;
    return { expiresAt: next.expiresAt?.toISOString() ?? null };
  }),
});
