import type { Logger } from '../../lib/logger.ts';
import type { LogEntry, MessageStore } from '../../models/stores.ts';
import type { LiveReply } from './liveReply.ts';

/** Milliseconds between two writes: about what one frame of a screen shows, and several tokens of a fast model. */
const TICK_MS = 20;
/** Milliseconds until the next try when the database did not take a write. */
const RETRY_MS = 250;

/**
 * Shows text to clients only after it is in the store: one write per tick for all running replies of the node.
 * The first text of a reply does not wait for a tick. While a write is under way the next one gathers, so under load
 * the tick grows instead of a queue; while the database is away the text waits in memory, bounded by the replies' size.
 */
export interface ReplyLog {
  /** The reply has new text. */
  add(reply: LiveReply): void;
  /** The reply is settled or gone: what it had left is of no use any more. */
  remove(reply: LiveReply): void;
  /** Stops the timer. */
  close(): void;
}

const entryOf = (reply: LiveReply): LogEntry | null => {
  const { offset, text } = reply.unshown();
  return text === '' ? null : { ownerId: reply.ownerId, messageId: reply.messageId, offset, text };
};

export const createReplyLog = (messages: Pick<MessageStore, 'appendLog'>, logger: Logger): ReplyLog => {
  const log = logger.child('reply-log');
  const waiting = new Set<LiveReply>();
  let isWriting = false;
  let isClosed = false;
  let timer: NodeJS.Timeout | null = null;

  const schedule = (delayMs: number): void => {
    if (timer || isWriting || isClosed || (waiting.size === 0 && !unconfirmed)) return;
    timer = setTimeout(() => {
      timer = null;
      void flush();
    }, delayMs);
  };

  const take = (): Map<LiveReply, LogEntry> => {
    const batch = new Map<LiveReply, LogEntry>();
    for (const reply of waiting) {
      const entry = entryOf(reply);
      if (entry) batch.set(reply, entry);
    }
    waiting.clear();
    return batch;
  };

  /**
   * A write that failed may have happened nevertheless, and an entry that is there stays as it is: so the same entries are
   * tried again, unchanged, before any later ones.
   */
  let unconfirmed: Map<LiveReply, LogEntry> | null = null;

  const flush = async (): Promise<void> => {
    const batch = unconfirmed ?? take();
    if (batch.size === 0) return;
    isWriting = true;
    try {
      await messages.appendLog([...batch.values()]);
      unconfirmed = null;
      for (const [reply, entry] of batch) reply.show(entry.text.length);
    } catch (error) {
      log.warn('reply text could not be stored, trying again', { replies: batch.size, err: error });
      unconfirmed = batch;
    }
    isWriting = false;
    schedule(unconfirmed ? RETRY_MS : TICK_MS);
  };

  return {
    add: (reply) => {
      waiting.add(reply);
      schedule(reply.unshown().offset === 0 ? 0 : TICK_MS);
    },
    remove: (reply) => {
      waiting.delete(reply);
      unconfirmed?.delete(reply);
      if (unconfirmed?.size === 0) unconfirmed = null;
    },
    close: () => {
      isClosed = true;
      if (timer) clearTimeout(timer);
    },
  };
};
