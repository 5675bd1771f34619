import { randomBytes } from 'node:crypto';
import { call } from '../http.ts';
import type { Mailbox } from '../mailbox.ts';
import { newCanary } from './watch.ts';

export const CANARY_NAMES = [
  'password',
  'JWT',
  'refresh token',
  'API key',
  'cookie',
  'database URI',
  'mail token',
  'message',
] as const;
export type CanaryName = (typeof CANARY_NAMES)[number];

/** Eight secrets that are in use at one server; `cookie` is a whole `name=value`. */
export type Canaries = Readonly<Record<CanaryName, string>>;

export interface Planted {
  readonly canaries: Canaries;
  readonly username: string;
  readonly email: string;
  readonly deviceToken: string;
  /** The reply to the canary message. */
  readonly messageId: string;
  readonly chatId: string;
}

/** No scheme in it: it is the secret of an address, and stands in one. */
export const newUriPassword = (): string => `uri-canary-${randomBytes(12).toString('hex')}`;

const cookieOf = (headers: Headers): string =>
  headers
    .getSetCookie()
    .find((cookie) => /^(__Secure-)?parley_rt=/.test(cookie))
    ?.split(';', 1)[0] ?? '';

/** Signs up, logs in, makes a key, asks for a mail and sends a message, so that each canary is a real one. */
export const plant = async (url: string, mailbox: Mailbox, databaseUri: string): Promise<Planted> => {
  const username = `user_${randomBytes(8).toString('hex')}`;
  const email = `${username}@example.com`;
  const password = newCanary('Pw7');
  const message = newCanary('What the user wrote');
  const post = async (path: string, json: object, token?: string) => {
    const answer = await call(`${url}${path}`, {
      method: 'POST',
      json,
      headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
    });
    if (answer.status >= 400) throw new Error(`${path} answered ${String(answer.status)}`);
    return answer;
  };
  const { body: session } = await post('/api/auth/signup', { username, email, password, session: 'token' });
  const { headers } = await post('/api/auth/login', { username, password });
  const { body: key } = await post('/api/keys', { name: 'canary', scopes: ['chat'] }, session.accessToken);
  await post('/api/auth/forgot-password', { email });
  const { token } = await mailbox.mailTo(email, 'Set a new password');
  const sent = await post('/api/chat/message', { content: message, stream: false }, session.accessToken);
  return {
    canaries: {
      password,
      JWT: session.accessToken,
      'refresh token': session.refreshToken,
      'API key': key.key,
      cookie: cookieOf(headers),
      'database URI': databaseUri,
      'mail token': token,
      message,
    },
    username,
    email,
    deviceToken: session.deviceToken,
    messageId: sent.body.message?.id ?? sent.body.messageId,
    chatId: sent.body.chatId ?? sent.body.message?.chatId,
  };
};

/** What is looked for of each: of a cookie its value, of an address its password. */
export const secretOf = (name: CanaryName, canary: string): string => {
  if (name === 'cookie') return canary.slice(canary.indexOf('=') + 1);
  return name === 'database URI' ? (/:([^:@/]+)@/.exec(canary)?.[1] ?? canary) : canary;
};
