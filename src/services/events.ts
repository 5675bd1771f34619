import { EventEmitter } from 'node:events';
import type { Chat } from '../models/entities.ts';
import type { SeenMessage } from './chat/siblings.ts';
import type { ReplyHandle } from './replies/reply.ts';

/** Facts that services publish and doors may tell clients about. Services never emit to sockets themselves. */
export interface ServiceEvents {
  /** A user message is durable; always before the `replyStarted` of its reply. */
  messageStored: { readonly ownerId: string; readonly message: SeenMessage; readonly chat: Chat };
  /** A reply can be followed here: it is generated, or waits its turn. */
  replyStarted: { readonly ownerId: string; readonly reply: ReplyHandle };
  messageUpdated: { readonly ownerId: string; readonly message: SeenMessage };
  chatCreated: { readonly ownerId: string; readonly chat: Chat };
  chatUpdated: {
    readonly ownerId: string;
    readonly chat: Chat;
    /** Messages of it that were deleted; not told when all of them were. */
    readonly deletedMessageIds?: readonly string[];
  };
  chatDeleted: { readonly ownerId: string; readonly chatId: string };
  /** The login's tokens are no good any more, whatever their expiry. */
  loginEnded: { readonly ownerId: string; readonly loginId: string };
  /** The API key is no good any more. */
  keyEnded: { readonly ownerId: string; readonly keyId: string };
  /** What these accounts may do may have changed. */
  accountsChanged: { readonly ownerIds: ReadonlySet<string> };
  /** Every way in has ended: the account was deleted or disabled. */
  accountEnded: { readonly ownerId: string };
}

export interface EventBus {
  publish<K extends keyof ServiceEvents>(name: K, event: ServiceEvents[K]): void;
  /** Returns the function that ends the subscription. */
  subscribe<K extends keyof ServiceEvents>(name: K, listener: (event: ServiceEvents[K]) => void): () => void;
}

export const createEventBus = (): EventBus => {
  const emitter = new EventEmitter().setMaxListeners(0);
  return {
    publish: (name, event) => void emitter.emit(name, event),
    subscribe: (name, listener) => {
      emitter.on(name, listener);
      return () => void emitter.off(name, listener);
    },
  };
};
