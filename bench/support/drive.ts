import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, Reply } from './clients.ts';
import { storedText, type Subject } from './subjects.ts';
import { expectedText, modelOf, question, TOKEN_CHARS, VARIATIONS, type Pace } from './tokens.ts';

export interface DriveOptions {
  readonly subject: Subject;
  /** How many clients, a user each. Each sends again as soon as its reply has ended. */
  readonly clients: number;
  readonly pace: Pace;
  readonly warmUpMs: number;
  readonly windowMs: number;
}

export interface Driven {
  readonly seconds: number;
  /** Replies that ended within the window. */
  readonly replies: number;
  /** Tokens that arrived within it. */
  readonly tokens: number;
  /** Microseconds of the server's CPU within it. */
  readonly cpuUs: number;
}

/** How many replies of a round are compared with what the server stored. */
const SAMPLE = 10;

/** Every text is the expected one, in every client's hands; a sample also in the store. */
const verify = async (
  subject: Subject,
  replies: readonly (Reply & { user: number; expected: string })[],
): Promise<void> => {
  for (const reply of replies) {
    if (reply.text !== reply.expected) throw new Error(`${subject.name}: a wrong text, ${reply.text.slice(0, 60)}…`);
  }
  const step = Math.max(1, Math.floor(replies.length / SAMPLE));
  for (let at = 0; at < replies.length; at += step) {
    const reply = replies[at];
    if (!reply) continue;
    const stored = await storedText(subject, reply.user, reply.messageId);
    if (stored !== undefined && stored !== reply.text) throw new Error(`${subject.name}: stored is not what was shown`);
  }
};

export const withClients = async <T>(
  subject: Subject,
  count: number,
  use: (clients: Client[]) => Promise<T>,
): Promise<T> => {
  const clients: Client[] = [];
  try {
    for (let user = 0; user < count; user += 1) clients.push(await subject.connect(user));
    return await use(clients);
  } finally {
    for (const client of clients) client.close();
  }
};

/** A closed loop: as many replies at once as there are clients, each in a new chat. */
export const drive = async ({ subject, clients, pace, warmUpMs, windowMs }: DriveOptions): Promise<Driven> =>
  withClients(subject, clients, async (connected) => {
    const from = performance.now() + warmUpMs;
    const to = from + windowMs;
    const isInWindow = (at: number): boolean => at >= from && at < to;
    const replies: (Reply & { user: number; expected: string })[] = [];
    let units = 0;
    const onText = (text: string): void => {
      if (isInWindow(performance.now())) units += text.length;
    };
    const loop = async (client: Client, user: number): Promise<void> => {
      // Not all at the same instant: a paced reply then has its own phase.
      await sleep((user / clients) * Math.min(warmUpMs, pace.intervalMs * pace.tokens));
      for (let count = 0; performance.now() < to; count += 1) {
        const variation = (user + count) % VARIATIONS;
        const reply = await client.send({ content: question(variation), model: modelOf(pace), onText });
        replies.push({ ...reply, user, expected: expectedText(variation, pace.tokens) });
      }
    };
    const cpu = async (): Promise<number> => {
      await sleep(Math.max(0, from - performance.now()));
      const before = subject.child.cpuUs();
      await sleep(Math.max(0, to - performance.now()));
      return subject.child.cpuUs() - before;
    };
    const [cpuUs] = await Promise.all([cpu(), ...connected.map(loop)]);
    await verify(subject, replies);
    return {
      seconds: windowMs / 1000,
      replies: replies.filter(({ endAt }) => isInWindow(endAt)).length,
      tokens: units / TOKEN_CHARS,
      cpuUs,
    };
  });
