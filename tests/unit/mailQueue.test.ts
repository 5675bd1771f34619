import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { SMTPServer } from 'smtp-server';
import { createLogger } from '../../src/lib/logger.ts';
import { createMailQueue, type MailQueueOptions } from '../../src/services/mail/queue.ts';
import { chooseTransport } from '../../src/services/mail/transport.ts';
import { startMailbox, type Mailbox } from '../support/mailbox.ts';
import { UNTRUSTED } from '../support/untrustedTls.ts';
import { waitFor } from '../support/waitFor.ts';

const MAIL = { to: 'ada@example.com', subject: 'Verify', text: 'Hello' };

let mailbox: Mailbox;
let log: PassThrough;
let logged: string;
const closers: (() => Promise<void>)[] = [];
beforeEach(async () => {
  mailbox = await startMailbox();
  logged = '';
  log = new PassThrough();
  log.on('data', (chunk: Buffer) => (logged += chunk.toString()));
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await mailbox.stop();
});

const lines = (): { message: string; tries?: number; reason?: string; mails?: number }[] => {
  return logged
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { message: string });
};

const open = (options: Partial<MailQueueOptions> = {}, smtpUrl = mailbox.url) => {
  const logger = createLogger({ level: 'info', format: 'json', service: 'test', stream: log });
  const paths = { verify: '/v', reset: '/r' };
  const mail = { smtpUrl, from: 'no-reply@example.com', requireVerification: false, baseUrl: 'http://x', paths };
  const transport = chooseTransport({ mail, isProduction: true }, logger)!;
  const queue = createMailQueue({ transport, logger, retryMs: [10, 10, 10], ...options });
  closers.push(() => queue.close());
  return queue;
};

describe('the mail queue', () => {
  test('a server that asks for patience, twice, has the mail at the third try, once', async () => {
    mailbox.refuse(451, 421);
    open().add(MAIL);
    expect(await mailbox.mailTo(MAIL.to, 'Verify')).toMatchObject({ from: 'no-reply@example.com', text: 'Hello\n' });
    expect([mailbox.attempts, mailbox.mails.length]).toEqual([3, 1]);
  });

  test('a mail that is refused for good is given up at once, and named by its subject alone', async () => {
    mailbox.refuse(550);
    const queue = open();
    queue.add(MAIL);
    await queue.idle();
    expect(mailbox.attempts).toBe(1);
    const [line] = lines();
    expect(line).toMatchObject({ message: 'a mail was given up', tries: 1, reason: 'EMESSAGE 550' });
    expect(JSON.stringify(line)).not.toContain(MAIL.to);
  });

  test('a server that is away all the time, costs as many tries as there are waits, and one', async () => {
    const { url } = mailbox;
    await mailbox.stop();
    open({}, url).add(MAIL);
    await waitFor(() => lines().some(({ message }) => message === 'a mail was given up'));
    expect(lines().map(({ tries }) => tries)).toEqual([1, 2, 3, 4]);
    mailbox = await startMailbox();
  });

  test('more than may wait, added at once, are dropped, which is logged; the others arrive', async () => {
    const queue = open({ maxWaiting: 3 });
    for (let count = 0; count < 9; count += 1) queue.add({ ...MAIL, subject: `Verify ${String(count)}` });
    await queue.idle();
    // Two are on their way at once, three wait.
    expect(mailbox.mails.map(({ subject }) => subject).toSorted()).toEqual(
      [0, 1, 2, 3, 4].map((count) => `Verify ${String(count)}`),
    );
    expect(lines().filter(({ message }) => message.startsWith('a mail was dropped'))).toHaveLength(4);
  });

  test('a password, for a server elsewhere without TLS, is not sent to it', async () => {
    // Another spelling of 127.0.0.1, which nobody takes for this machine.
    const queue = open({ retryMs: [] }, mailbox.url.replace('127.0.0.1', '127.1'));
    queue.add(MAIL);
    await queue.idle();
    const reason: unknown = expect.stringMatching(/^ETLS/);
    expect(lines()).toEqual([expect.objectContaining({ message: 'a mail was given up', reason })]);
    expect(mailbox.attempts).toBe(0);
  });

  test.each([
    ['from the first byte', 'smtps', true],
    ['by STARTTLS', 'smtp', false],
  ])(
    'a password, for a server whose certificate nobody vouches for, %s, is not sent to it',
    async (_when, scheme, secure) => {
      let logins = 0;
      const server = new SMTPServer({
        ...UNTRUSTED,
        secure,
        onAuth: (_auth, _session, done) => {
          logins += 1;
          done(null, { user: 'x' });
        },
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
      closers.push(() => new Promise((resolve) => server.close(() => resolve())));
      // A client that hangs up over the certificate is an error of the server's too.
      server.on('error', () => undefined);
      const { port } = server.server.address() as AddressInfo;
      const login = new URL(mailbox.url);
      const at = `${login.username}:${login.password}@localhost:${String(port)}`;
      const hand = async (options: string): Promise<void> => {
        const queue = open({ retryMs: [] }, `${scheme}://${at}?requireTLS=true${options}`);
        queue.add(MAIL);
        await queue.idle();
        await queue.close();
      };
      await hand('');
      expect([logins, lines()]).toEqual([0, [expect.objectContaining({ message: 'a mail was given up' })]]);
      // Nothing but the certificate is wrong with it: who does not mind is let in.
      await hand('&tls.rejectUnauthorized=false');
      expect(logins).toBe(1);
    },
  );

  test('closed, hands over what is ready, tries nothing again and takes no more', async () => {
    mailbox.refuse(451);
    const queue = open({ retryMs: [60_000] });
    queue.add(MAIL);
    await queue.idle();
    for (const subject of ['a', 'b', 'c', 'd']) queue.add({ ...MAIL, subject });
    await queue.close();
    expect(mailbox.mails.map(({ subject }) => subject).toSorted()).toEqual(['a', 'b', 'c', 'd']);
    expect(lines().find(({ message }) => message === 'mails were not sent before the end')).toMatchObject({ mails: 1 });
    queue.add(MAIL);
    await queue.idle();
    expect(mailbox.mails).toHaveLength(4);
  });

  test('an address with a name or a line end in it, added, goes to one recipient and makes no header', async () => {
    const queue = open();
    queue.add({ ...MAIL, to: 'a@example.com\r\nBcc: evil@example.com', subject: 'x\r\nBcc: evil@example.com' });
    await queue.idle();
    for (const { headers, to } of mailbox.mails) {
      expect(headers).not.toMatch(/^bcc/im);
      expect(to).not.toMatch(/(^|,)evil@/);
    }
  });
});
