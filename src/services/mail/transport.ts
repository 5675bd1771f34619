import { createTransport } from 'nodemailer';
import type { Config } from '../../config/index.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Letter } from './letters.ts';

export interface Mail extends Letter {
  readonly to: string;
}

/** Hands one mail over. */
export interface MailTransport {
  /** Resolves when the next server has taken it. @throws when it has not; `isFinal` tells whether it ever will */
  deliver(mail: Mail): Promise<void>;
  close(): void;
}

/** Milliseconds for a connection, for the greeting, and for silence in between. */
const TIMEOUTS = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 20_000 };

/** Whether a server has said no for good (RFC 5321 §4.2.1: 5yz), so that another try is no use. */
export const isFinal = (error: unknown): boolean =>
  Error.isError(error) && 'responseCode' in error && Number(error.responseCode) >= 500;

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/** With a password no plain connection will do, unless to this machine; `?requireTLS=false` in the URL says otherwise. */
const needsTls = (url: string): boolean => {
  const { username, hostname } = new URL(url);
  return username !== '' && !LOOPBACK.includes(hostname);
};

const createSmtp = (url: string, from: string): MailTransport => {
  const transport = createTransport({ url, pool: true, maxConnections: 2, requireTLS: needsTls(url), ...TIMEOUTS });
  return {
    deliver: async ({ to, subject, text }) => {
      await transport.sendMail({
        from,
        // As an object it is one address, whatever signs are in it.
        to: { name: '', address: to },
        subject,
        text,
        headers: { 'Auto-Submitted': 'auto-generated' },
        disableFileAccess: true,
        disableUrlAccess: true,
      });
    },
    close: () => transport.close(),
  };
};

/** For a laptop: the log is the mailbox. Links are in it, so it is never used in production. */
const createLogTransport = (logger: Logger): MailTransport => ({
  deliver: ({ to, subject, text }) => {
    logger.info('mail (SMTP_URL is not set: this is all that becomes of it)', { to, subject, text });
    return Promise.resolve();
  },
  close: () => undefined,
});

/** How mails leave; null when they do not: in production without SMTP. */
export const chooseTransport = (
  config: Pick<Config, 'mail' | 'isProduction'>,
  logger: Logger,
): MailTransport | null => {
  const { smtpUrl, from } = config.mail;
  if (smtpUrl !== null) return createSmtp(smtpUrl, from);
  return config.isProduction ? null : createLogTransport(logger);
};
