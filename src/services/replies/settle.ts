import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../lib/logger.ts';
import type { Stores, ReplyEnd } from '../../models/stores.ts';
import { isFinal } from '../../models/entities.ts';
import type { ContextService } from '../context/index.ts';
import type { LiveReply } from './liveReply.ts';
import type { SettledReply } from './reply.ts';

/** Milliseconds between tries to store a reply's end, and how many: after that the reaper closes it. */
const RETRY_MS = 500;
const TRIES = 60;

/** Milliseconds between two looks at a reply that became another node's. */
const POLL_MS = 250;

export interface SettleOptions {
  readonly stores: Pick<Stores, 'chats' | 'messages'>;
  readonly context: Pick<ContextService, 'remember'>;
  /** As in this node's leases. */
  readonly nodeId: string;
  readonly logger: Logger;
}

/** Stores a reply's end and then tells it: what clients see as final is what the store holds. Never rejects. */
export type Settle = (reply: LiveReply, end: ReplyEnd) => Promise<void>;

export const createSettle = ({ stores, context, nodeId, logger }: SettleOptions): Settle => {
  const log = logger.child('replies');

  /** The end that someone else gave the reply, or will: who took it over while this node did not show life. */
  const endElsewhere = async ({ ownerId, messageId }: LiveReply): Promise<SettledReply | null> => {
    for (;;) {
      const message = await stores.messages.findMessage(ownerId, messageId);
      const chat = message && (await stores.chats.findChat(ownerId, message.chatId));
      if (!message || !chat) return null;
      if (isFinal(message.status)) return { message, chat };
      await delay(POLL_MS, undefined, { ref: false });
    }
  };

  /** The end as it is in the store: ours, or someone else's. Null when the reply was deleted. */
  const storeOnce = async (reply: LiveReply, end: ReplyEnd): Promise<SettledReply | null> => {
    // One that is stopped while it waits has no lease yet.
    const holder = reply.current().status === 'queued' ? undefined : nodeId;
    const stored = await stores.messages.settleReply(reply.ownerId, reply.messageId, { ...end, nodeId: holder });
    return stored ? { message: stored.reply, chat: stored.chat } : endElsewhere(reply);
  };

  const store = async (reply: LiveReply, end: ReplyEnd): Promise<SettledReply | null> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await storeOnce(reply, end);
      } catch (error) {
        if (attempt === TRIES) throw error;
        log.warn('the end of a reply could not be stored, trying again', { attempt, err: error });
        await delay(RETRY_MS, undefined, { ref: false });
      }
    }
  };

  return async (reply, end) => {
    // What was told and no more: nobody was shown the rest.
    const shown = { ...reply.current(), updatedAt: end.at, lease: null };
    try {
      const settled = await store(reply, end);
      if (settled) context.remember(settled.message);
      reply.settle(settled ?? { chat: reply.chat, message: { ...shown, status: 'stopped' } });
    } catch (error) {
      log.error('the end of a reply could not be stored', { messageId: reply.messageId, err: error });
      const unavailable = { code: 'STORE_UNAVAILABLE', detail: null, retryAfterMs: 2000 };
      reply.abandon({ chat: reply.chat, message: { ...shown, status: 'interrupted', error: unavailable } });
    }
  };
};
