import type { IncomingMessage } from 'node:http';
import type { RequestCredentials } from '../services/auth/index.ts';
import { readSessionCookies } from './cookies.ts';

/** The token of `Authorization: Bearer` (RFC 6750 §2.1); other schemes are not for us. */
export const bearerToken = (req: Pick<IncomingMessage, 'headers'>): string | null =>
  /^Bearer +(\S+) *$/i.exec(req.headers.authorization ?? '')?.[1] ?? null;

/**
 * What a request brought to show who makes it: Bearer wins over the ticket in its URL, and that over the cookie, which a
 * browser sends unasked.
 */
export const readCredentials = (
  req: Pick<IncomingMessage, 'headers'>,
  { isSecure, ticket }: { readonly isSecure: boolean; readonly ticket: string | null },
): RequestCredentials | null => {
  const bearer = bearerToken(req);
  if (bearer !== null) return { via: 'bearer', token: bearer };
  if (ticket !== null) return { via: 'ticket', token: ticket };
  const { accessToken } = readSessionCookies(req, isSecure);
  return accessToken === undefined ? null : { via: 'cookie', token: accessToken };
};
