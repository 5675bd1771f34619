import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { SMTPServer } from 'smtp-server';
import { secretWatch } from './canaries/watch.ts';
import { waitFor } from './waitFor.ts';

export const SMTP_PASSWORD = 'canary-of-the-mail-server';
secretWatch.addSecret('the mail server’s password', SMTP_PASSWORD);

export interface ReceivedMail {
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly headers: string;
  readonly text: string;
  /** The link in it, if there is one. */
  readonly link: string;
  /** What the link holds after `#token=`. */
  readonly token: string;
}

/** A real SMTP server on loopback, with a login, that keeps what it takes. */
export interface Mailbox {
  readonly url: string;
  readonly mails: readonly ReceivedMail[];
  /** How often a client came to hand over a mail, refused ones included. */
  readonly attempts: number;
  /** The next mails are refused, each with one of these SMTP codes. */
  refuse(...codes: number[]): void;
  /** Resolves with the first mail to an address whose subject begins so, now or later; `after` that many others. */
  mailTo(address: string, subject: string, after?: number): Promise<ReceivedMail>;
  stop(): Promise<void>;
}

/** Quoted-printable (RFC 2045 §6.7) or plain. */
const decode = (headers: string, body: string): string => {
  if (!/^content-transfer-encoding: quoted-printable/im.test(headers)) return body;
  const bytes = body
    .replaceAll('=\r\n', '')
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
};

const parse = (raw: string, from: string, to: string): ReceivedMail => {
  const at = raw.indexOf('\r\n\r\n');
  const headers = raw.slice(0, at).replaceAll(/\r\n[ \t]+/g, ' ');
  const body = decode(headers, raw.slice(at + 4)).replaceAll('\r\n', '\n');
  const link = /https?:\/\/\S+/.exec(body)?.[0] ?? '';
  const subject = /^subject: (.*)$/im.exec(headers)?.[1] ?? '';
  return { from, to, subject, headers, text: body, link, token: link.split('#token=')[1] ?? '' };
};

export const startMailbox = async (): Promise<Mailbox> => {
  const mails: ReceivedMail[] = [];
  const refusals: number[] = [];
  let attempts = 0;
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    onAuth: ({ username, password }, _session, done) => {
      const isRight = username === 'parley' && password === SMTP_PASSWORD;
      done(isRight ? null : new Error('wrong'), isRight ? { user: 'parley' } : undefined);
    },
    onData: (stream, { envelope }, done) => {
      attempts += 1;
      void text(stream).then((raw) => {
        const responseCode = refusals.shift();
        if (responseCode !== undefined) {
          done(Object.assign(new Error('refused'), { responseCode }));
          return;
        }
        const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address;
        const mail = parse(raw, from, envelope.rcptTo.map(({ address }) => address).join());
        mails.push(mail);
        secretWatch.addCredential('the token of a mail', mail.token);
        done();
      });
    },
  });
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.server.address() as AddressInfo;
  return {
    url: `smtp://parley:${SMTP_PASSWORD}@127.0.0.1:${String(port)}`,
    mails,
    get attempts() {
      return attempts;
    },
    refuse: (...codes) => void refusals.push(...codes),
    mailTo: (address, subject, after = 0) =>
      waitFor(() => mails.filter((mail) => mail.to === address && mail.subject.startsWith(subject))[after]),
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
};
