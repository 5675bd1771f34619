import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../../config/index.ts';
import type { Logger } from '../../lib/logger.ts';
import { LETTERS } from './letters.ts';
import { createMailQueue } from './queue.ts';
import { chooseTransport } from './transport.ts';

/**
 * Milliseconds until what is behind an answer begins, by chance: so that neither this answer nor the next one shows by its time
 * that there was something to do.
 */
const LEAST_DELAY_MS = 20;
const MOST_JITTER_MS = 180;

type Letters = typeof LETTERS;
type Details<K extends keyof Letters> = Omit<Parameters<Letters[K]>[0], 'site'>;

export interface Mailer {
  /** Puts a mail on its way, without keeping the caller waiting; whether it arrives is never known to who asked for it. */
  send<K extends keyof Letters>(to: string, kind: K, details: Details<K>): void;
  /** The link of a mail. The token is in the fragment: browsers send that to no server, so it is in no log and no `Referer`. */
  link(kind: 'verify' | 'reset', token: string): string;
  /**
   * Does what belongs to a mail (asking the database, making a token) behind the answer, so that the answer takes no longer
   * when there is something to send. What fails is logged; where no mail is sent, nothing is done.
   */
  behind(task: () => Promise<void>): void;
  /** Resolves when nothing is on its way but what waits for another try. */
  idle(): Promise<void>;
  /** Resolves when what was begun is done; what waits for another try is given up. */
  close(): Promise<void>;
}

/** Mails on the way to SMTP; in development without SMTP, to the log; in production without it, to nowhere. */
export const createMailer = (config: Pick<Config, 'mail' | 'isProduction'>, parent: Logger): Mailer => {
  const logger = parent.child('mail');
  const { baseUrl, paths } = config.mail;
  const site = new URL(baseUrl).host;
  const transport = chooseTransport(config, logger);
  const queue = transport && createMailQueue({ transport, logger });
  const tasks = new Set<Promise<void>>();
  if (!queue) logger.warn('SMTP_URL is not set: no mail is sent, so nobody can reset a password or verify an address');

  const idle = async (): Promise<void> => {
    while (tasks.size > 0) await Promise.all(tasks);
    await queue?.idle();
  };

  return {
    send: (to, kind, details) => {
      // No mail reaches those (RFC 2606): they stand for accounts that have no address.
      if (to.endsWith('.invalid')) return;
      // eslint-disable-next-line @typescript-eslint/consistent-type-assertions -- a union of functions takes only what all of them take
      const write = LETTERS[kind] as (about: object) => ReturnType<Letters[typeof kind]>;
      queue?.add({ to, ...write({ ...details, site }) });
    },
    link: (kind, token) => `${baseUrl}${paths[kind]}#token=${token}`,
    behind: (task) => {
      if (!queue) return;
      const run: Promise<void> = delay(LEAST_DELAY_MS + randomInt(MOST_JITTER_MS))
        .then(task)
        .catch((error: unknown) => logger.error('a mail was not written', { err: error }))
        .finally(() => tasks.delete(run));
      tasks.add(run);
    },
    idle,
    close: async () => {
      await idle();
      await queue?.close();
    },
  };
};
