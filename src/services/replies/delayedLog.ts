import type { Logger } from '../../lib/logger.ts';
import type { LogEntry, MessageStore } from '../../models/stores.ts';
import { createReplyLog, type ReplyLog } from './replyLog.ts';

export type ReplyLogMode = 'tick' | 'second' | 'end';

/** Milliseconds between two writes; null: none but the end of the reply. */
const STORE_EVERY_MS = { second: 1000, end: null } as const;

interface DelayedLogOptions {
  readonly messages: Pick<MessageStore, 'appendLog'>;
  /** Milliseconds between two writes; null: running text is not written at all, only the end of a reply is. */
  readonly storeEveryMs: number | null;
  readonly logger: Logger;
}

/** Text that was shown already and is stored later: one entry for each reply, however often it grew. */
const createDelayedStore = ({ messages, storeEveryMs, logger }: DelayedLogOptions) => {
  const log = logger.child('reply-log');
  let waiting = new Map<string, LogEntry>();
  /** What a write tried and may have stored: it is tried again as it was, since an entry that is there stays as it is. */
  let unconfirmed: ReadonlyMap<string, LogEntry> | null = null;
  /** Replies that ended during the write that may have to be repeated without them. */
  const forgotten = new Set<string>();
  let isWriting = false;

  const store = async (): Promise<void> => {
    if (isWriting) return;
    const batch = unconfirmed ?? waiting;
    if (unconfirmed === null) waiting = new Map();
    const entries = [...batch.values()].filter(({ messageId }) => !forgotten.has(messageId));
    unconfirmed = null;
    if (entries.length === 0) {
      forgotten.clear();
      return;
    }
    isWriting = true;
    try {
      await messages.appendLog(entries);
      forgotten.clear();
    } catch (error) {
      log.warn('reply text could not be stored, trying again', { replies: entries.length, err: error });
      unconfirmed = batch;
    }
    isWriting = false;
  };

  const timer = storeEveryMs === null ? null : setInterval(() => void store(), storeEveryMs).unref();

  return {
    appendLog: (entries: readonly LogEntry[]): Promise<void> => {
      if (timer === null) return Promise.resolve();
      for (const entry of entries) {
        const before = waiting.get(entry.messageId);
        waiting.set(entry.messageId, before ? { ...before, text: before.text + entry.text } : entry);
      }
      return Promise.resolve();
    },
    forget: (messageId: string): void => {
      waiting.delete(messageId);
      if (isWriting || unconfirmed) forgotten.add(messageId);
    },
    close: (): void => {
      if (timer) clearInterval(timer);
    },
  };
};

/**
 * A reply log that gives the promise "shown means stored" away for fewer writes: text is shown in the same ticks, and
 * stored up to `storeEveryMs` later. When the process dies, clients that were shown more than is stored are told `reset`.
 */
const createDelayedReplyLog = (options: DelayedLogOptions): ReplyLog => {
  const store = createDelayedStore(options);
  const shown = createReplyLog(store, options.logger);
  return {
    add: (reply) => shown.add(reply),
    remove: (reply) => {
      shown.remove(reply);
      store.forget(reply.messageId);
    },
    close: () => {
      shown.close();
      store.close();
    },
  };
};

/** The reply log that an operator chose (`REPLY_LOG`); docs/benchmarks.md has what each costs. */
export const openReplyLog = (mode: ReplyLogMode, messages: DelayedLogOptions['messages'], logger: Logger): ReplyLog =>
  mode === 'tick'
    ? createReplyLog(messages, logger)
    : createDelayedReplyLog({ messages, storeEveryMs: STORE_EVERY_MS[mode], logger });
