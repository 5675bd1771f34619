import type { Message } from '../../models/entities.ts';
import type { MessageStore } from '../../models/stores.ts';

/** A message with the other ways its chat could go on at this place. */
export interface SeenMessage extends Message {
  /** The ids of all messages with the same parent, this one included, in order of `seq`; empty when it is alone. */
  readonly siblings: readonly string[];
}

export interface Siblings {
  /** The messages, all of one chat, each with its siblings: one read for all of them. */
  see(messages: readonly Message[]): Promise<SeenMessage[]>;
}

export const createSiblings = (messages: Pick<MessageStore, 'listChildIds'>): Siblings => ({
  see: async (seen) => {
    const [first] = seen;
    if (!first) return [];
    const parentIds = [...new Set(seen.map(({ parentId }) => parentId))];
    const children = await messages.listChildIds(first.ownerId, first.chatId, parentIds);
    const byParent = Map.groupBy(children, ({ parentId }) => parentId);
    return seen.map((message) => {
      const ids = (byParent.get(message.parentId) ?? []).map(({ id }) => id);
      return { ...message, siblings: ids.length > 1 ? ids : [] };
    });
  },
});
