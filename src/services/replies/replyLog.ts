import type { Logger } from '../../lib/logger.ts';
import type { LogEntry, MessageStore } from '../../models/stores.ts';
import type { LiveReply } from './liveReply.ts';

/** Milliseconds between two writes: about what one frame of a screen shows, and several tokens of a fast model. */
const TICK_MS = 20;
/**
 * Under load the tick grows with the replies that had text in the last one, so that each costs fewer writes and frames:
 * to 50 ms (20 frames a second) at 100 and above.
 */
const TICK_MS_PER_REPLY = 0.3;
const MAX_TICK_MS = 50;
/** Milliseconds until the next try when the database did not take a write. */
const RETRY_MS = 250;

/**
 * Shows text to clients only after it is in the store: one write per tick for all running replies of the node.
 * The first text of a reply does not wait for a tick, nor does any text after a pause of a tick or more. While a write is
 * under way the next one gathers, so under load the tick grows instead of a queue; while the database is away the text
 * waits in memory, bounded by the replies' size.
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
  /** Replies with text that waits for the tick, and those whose first text does not. */
  const waiting = new Set<LiveReply>();
  const urgent = new Set<LiveReply>();
  /** Replies whose first text is stored. */
  const begun = new WeakSet<LiveReply>();
  let isWriting = false;
  let isClosed = false;
  let tickedAt = 0;
  let tickMs = TICK_MS;
  let timer: NodeJS.Timeout | null = null;
  let immediate: NodeJS.Immediate | null = null;

  /** Milliseconds until the next write; Infinity: there is nothing to write. */
  const dueInMs = (): number => {
    if (unconfirmed) return RETRY_MS;
    if (urgent.size > 0) return 0;
    return waiting.size === 0 ? Infinity : Math.max(0, tickedAt + tickMs - performance.now());
  };

  const schedule = (): void => {
    if (isWriting || isClosed) return;
    const ms = dueInMs();
    // In the check phase, so that all that this turn of the loop reads from the models is in the same write.
    if (ms === 0) immediate ??= setImmediate(onImmediate);
    else if (ms < Infinity) timer ??= setTimeout(onTimer, Math.ceil(ms));
  };

  const onTimer = (): void => {
    timer = null;
    if (unconfirmed) void flush();
    else schedule();
  };
  const onImmediate = (): void => {
    immediate = null;
    void flush();
  };

  const take = (): Map<LiveReply, LogEntry> => {
    const batch = new Map<LiveReply, LogEntry>();
    const now = performance.now();
    const isTick = now - tickedAt >= tickMs;
    for (const replies of isTick ? [urgent, waiting] : [urgent]) {
      for (const reply of replies) {
        const entry = entryOf(reply);
        if (entry) batch.set(reply, entry);
      }
      replies.clear();
    }
    if (isTick) {
      tickedAt = now;
      tickMs = Math.min(MAX_TICK_MS, TICK_MS + batch.size * TICK_MS_PER_REPLY);
    }
    return batch;
  };

  /**
   * A write that failed may have happened nevertheless, and an entry that is there stays as it is: so the same entries are
   * tried again, unchanged, before any later ones.
   */
  let unconfirmed: Map<LiveReply, LogEntry> | null = null;

  const flush = async (): Promise<void> => {
    const batch = unconfirmed ?? take();
    if (batch.size === 0) {
      schedule();
      return;
    }
    isWriting = true;
    try {
      await messages.appendLog([...batch.values()]);
      unconfirmed = null;
      for (const [reply, entry] of batch) {
        begun.add(reply);
        reply.show(entry.text.length);
      }
    } catch (error) {
      log.warn('reply text could not be stored, trying again', { replies: batch.size, err: error });
      unconfirmed = batch;
    }
    isWriting = false;
    schedule();
  };

  return {
    add: (reply) => {
      (begun.has(reply) ? waiting : urgent).add(reply);
      schedule();
    },
    remove: (reply) => {
      waiting.delete(reply);
      urgent.delete(reply);
      unconfirmed?.delete(reply);
      if (unconfirmed?.size === 0) unconfirmed = null;
    },
    close: () => {
      isClosed = true;
      if (timer) clearTimeout(timer);
      if (immediate) clearImmediate(immediate);
    },
  };
};
