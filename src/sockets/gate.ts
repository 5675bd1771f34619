import type { IncomingMessage } from 'node:http';
import { AppError } from '../lib/errors.ts';
import type { Actor, AuthService, RequestCredentials } from '../services/auth/index.ts';
import type { ConnectionCap } from '../services/limits/index.ts';

export interface GateOptions {
  readonly authenticate: AuthService['authenticate'];
  /** Whether no foreign page made a browser begin this; null when the request does not tell. */
  readonly isOwnRequest: (request: IncomingMessage) => boolean | null;
  readonly connections: ConnectionCap;
  readonly isClosing: () => boolean;
}

export interface Admitted {
  readonly actor: Actor;
  /** Gives the place back; to be called when the connection is gone. */
  readonly leave: () => void;
}

/**
 * Who may come in at a live door. CORS does not cover WebSockets, so a foreign page is refused here; and as a browser
 * sends cookies from any page, a request with nothing but a cookie must say that it comes from an allowed one.
 * @param request undefined: it is not known any more, and tells nothing
 * @throws AppError `SHUTTING_DOWN`, `ORIGIN_NOT_ALLOWED`, `UNAUTHENTICATED`, `TOKEN_…`, `RATE_LIMITED`
 */
export type Gate = (request: IncomingMessage | undefined, credentials: RequestCredentials | null) => Promise<Admitted>;

export const createGate =
  ({ authenticate, isOwnRequest, connections, isClosing }: GateOptions): Gate =>
  async (request, credentials) => {
    if (isClosing()) throw new AppError('SHUTTING_DOWN', { retryAfterMs: 1000 });
    const isOwn = request === undefined ? null : isOwnRequest(request);
    if (isOwn === false) throw new AppError('ORIGIN_NOT_ALLOWED');
    if (credentials === null) throw new AppError('UNAUTHENTICATED');
    if (credentials.via === 'cookie' && isOwn !== true) throw new AppError('ORIGIN_NOT_ALLOWED');
    const actor = await authenticate(credentials);
    return { actor, leave: connections.enter(actor.userId) };
  };
