import type { Clock } from '../../lib/clock.ts';
import { AppError } from '../../lib/errors.ts';
import type { Message } from '../../models/entities.ts';
import type { Stores } from '../../models/stores.ts';
import type { Actor } from '../auth/actor.ts';
import type { ContextService } from '../context/index.ts';
import type { EventBus } from '../events.ts';
import type { RepliesService } from '../replies/index.ts';

export interface DeleteMessageOptions {
  readonly stores: Pick<Stores, 'messages'>;
  readonly replies: Pick<RepliesService, 'stop' | 'stopDeleted'>;
  readonly context: Pick<ContextService, 'forget'>;
  readonly events: EventBus;
  readonly clock: Clock;
}

/**
 * Stops what runs at or below the message, then deletes it with all that hangs on it.
 * @throws AppError `MESSAGE_NOT_FOUND`
 */
export type DeleteMessageUseCase = (actor: Actor, messageId: string) => Promise<void>;

export const createDeleteMessage = (options: DeleteMessageOptions): DeleteMessageUseCase => {
  const { stores, replies, context, events, clock } = options;

  /** A child has a higher `seq` than its parent, so this many steps up from the reply reach the message or pass it. */
  const hangsOn = async (message: Message, { ownerId, chatId, id, seq }: Message): Promise<boolean> => {
    if (seq < message.seq) return false;
    const ancestors = await stores.messages.listBranch(ownerId, chatId, id, seq - message.seq + 1);
    return ancestors.some((ancestor) => ancestor.id === message.id);
  };

  const stopBelow = async (message: Message): Promise<void> => {
    const unfinished = await stores.messages.listUnfinished(message.ownerId, message.chatId);
    const isBelow = await Promise.all(unfinished.map((reply) => hangsOn(message, reply)));
    await Promise.all(unfinished.filter((_, index) => isBelow[index]).map((reply) => replies.stop(reply)));
  };

  return async ({ ownerId }, messageId) => {
    const message = await stores.messages.findMessage(ownerId, messageId);
    if (!message) throw new AppError('MESSAGE_NOT_FOUND');
    await stopBelow(message);
    const removed = await stores.messages.deleteMessage(ownerId, messageId, new Date(clock.now()));
    if (!removed) throw new AppError('MESSAGE_NOT_FOUND');
    // What began there in the meantime was deleted too.
    await replies.stopDeleted(removed.ids);
    context.forget(message.chatId);
    events.publish('chatUpdated', { ownerId, chat: removed.chat, deletedMessageIds: removed.ids });
  };
};
