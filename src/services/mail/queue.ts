import type { Logger } from '../../lib/logger.ts';
import { isFinal, type Mail, type MailTransport } from './transport.ts';

export interface MailQueue {
  /** Takes a mail to be sent soon. Never throws and never waits; of too many the new ones are dropped, which is logged. */
  add(mail: Mail): void;
  /** Resolves when nothing is being handed over. */
  idle(): Promise<void>;
  /** Stops trying again, and resolves when what is being handed over is done. */
  close(): Promise<void>;
}

export interface MailQueueOptions {
  readonly transport: MailTransport;
  readonly logger: Logger;
  /** Mails that may wait; a few MB. */
  readonly maxWaiting?: number;
  /** Milliseconds until the second try, the third, and so on. */
  readonly retryMs?: readonly number[];
}

const MAX_WAITING = 1_000;
/** A server that is restarted or asks for patience (greylisting) is back within the hour. */
const RETRY_MS = [2_000, 15_000, 60_000, 300_000, 900_000, 1_800_000] as const;
/** As many at once as there are connections. */
const PARALLEL = 2;

interface Entry {
  readonly mail: Mail;
  tries: number;
}

/** Mails on their way out, in memory: a mail that was not sent when the process dies is lost, and can be asked for again. */
export const createMailQueue = (options: MailQueueOptions): MailQueue => {
  const { transport, logger, maxWaiting = MAX_WAITING, retryMs = RETRY_MS } = options;
  const ready: Entry[] = [];
  const timers = new Set<NodeJS.Timeout>();
  const running = new Set<Promise<void>>();
  let isClosed = false;

  const later = (entry: Entry, delayMs: number): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      ready.push(entry);
      pump();
    }, delayMs).unref();
    timers.add(timer);
  };

  const fail = (entry: Entry, error: unknown): void => {
    const delayMs = retryMs[entry.tries - 1];
    const { tries } = entry;
    if (isClosed || delayMs === undefined || isFinal(error)) {
      logger.error('a mail was given up', { tries, subject: entry.mail.subject, reason: reasonOf(error) });
      return;
    }
    logger.warn('a mail could not be sent yet', { tries, delayMs, reason: reasonOf(error) });
    later(entry, delayMs);
  };

  const deliver = async (entry: Entry): Promise<void> => {
    entry.tries += 1;
    try {
      await transport.deliver(entry.mail);
      logger.info('mail sent', { tries: entry.tries, subject: entry.mail.subject });
    } catch (error) {
      fail(entry, error);
    }
  };

  const pump = (): void => {
    while (running.size < PARALLEL) {
      const entry = ready.shift();
      if (!entry) return;
      const run: Promise<void> = deliver(entry).finally(() => {
        running.delete(run);
        pump();
      });
      running.add(run);
    }
  };

  const idle = async (): Promise<void> => {
    while (running.size > 0) await Promise.all(running);
  };

  return {
    add: (mail) => {
      if (isClosed || ready.length + timers.size >= maxWaiting) {
        logger.error('a mail was dropped: too many wait', { subject: mail.subject });
        return;
      }
      ready.push({ mail, tries: 0 });
      pump();
    },
    idle,
    close: async () => {
      isClosed = true;
      if (timers.size > 0) logger.warn('mails were not sent before the end', { mails: timers.size });
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
      await idle();
      transport.close();
    },
  };
};

/** The kind of failure alone: what a server says may repeat the address, or the mail. */
const reasonOf = (error: unknown): string => {
  if (!Error.isError(error)) return 'unknown';
  const parts = ['code' in error && error.code, 'responseCode' in error && error.responseCode];
  return parts.filter((part) => typeof part === 'string' || typeof part === 'number').join(' ');
};
