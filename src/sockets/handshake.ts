import type { IncomingMessage } from 'node:http';
import { AppError } from '../lib/errors.ts';
import { chooseRequestId } from '../lib/ids.ts';
import { toProblem } from '../schemas/problem.ts';
import type { Actor, AuthService } from '../services/auth/index.ts';
import type { ChatSocket } from './ack.ts';

export interface HandshakeOptions {
  readonly authenticate: AuthService['authenticate'];
  /** The access token in the handshake's cookies, if there is one. */
  readonly readCookieToken: (request: IncomingMessage) => string | undefined;
  /** Whether no foreign page made a browser begin this; null when the request does not tell. */
  readonly isOwnRequest: (request: IncomingMessage) => boolean | null;
  readonly isClosing: () => boolean;
}

const authToken = (auth: unknown): string | undefined => {
  if (auth === null || typeof auth !== 'object' || !('token' in auth)) return undefined;
  return typeof auth.token === 'string' && auth.token !== '' ? auth.token : undefined;
};

/** `connect_error` carries the problem as its `data`. */
const refusal = (error: unknown, requestId: string): Error => {
  const problem = toProblem(error, requestId);
  return Object.assign(new Error(problem.title), { data: problem });
};

/**
 * Lets a socket in by `auth.token`, or by cookie from an allowed origin; everyone else is refused. CORS does not cover
 * WebSockets, so a foreign page is refused here; and as a browser sends cookies from any page, a request with nothing
 * but a cookie must say that it comes from an allowed one.
 */
export const createHandshake = ({ authenticate, readCookieToken, isOwnRequest, isClosing }: HandshakeOptions) => {
  const identify = (socket: ChatSocket): Promise<Actor> => {
    if (isClosing()) throw new AppError('SHUTTING_DOWN', { retryAfterMs: 1000 });
    const isOwn = isOwnRequest(socket.request);
    if (isOwn === false) throw new AppError('ORIGIN_NOT_ALLOWED');
    const token = authToken(socket.handshake.auth);
    if (token !== undefined) return authenticate({ via: 'bearer', token });
    const cookie = readCookieToken(socket.request);
    if (cookie === undefined) throw new AppError('UNAUTHENTICATED');
    if (isOwn !== true) throw new AppError('ORIGIN_NOT_ALLOWED');
    return authenticate({ via: 'cookie', token: cookie });
  };

  return (socket: ChatSocket, next: (error?: Error) => void): void => {
    const requestId = chooseRequestId(socket.request.headers['x-request-id']);
    Promise.try(identify, socket).then(
      (actor) => {
        socket.data.actor = actor;
        socket.data.isExpiryTold = false;
        next();
      },
      (error: unknown) => next(refusal(error, requestId)),
    );
  };
};
