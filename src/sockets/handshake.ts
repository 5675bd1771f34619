import type { IncomingMessage } from 'node:http';
import { chooseRequestId } from '../lib/ids.ts';
import { toProblem } from '../schemas/problem.ts';
import type { RequestCredentials } from '../services/auth/index.ts';
import type { ChatSocket } from './chatSocket.ts';
import type { Admitted, Gate } from './gate.ts';
import { Departure } from './liveClient.ts';
import { requestOf } from './socketIo.requests.ts';

export interface HandshakeOptions {
  readonly gate: Gate;
  /** The access token in the handshake's cookies, if there is one. */
  readonly readCookieToken: (request: IncomingMessage) => string | undefined;
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

/** Lets a socket in by `auth.token`, or by cookie from an allowed origin; everyone else is refused. */
export const createHandshake = ({ gate, readCookieToken }: HandshakeOptions) => {
  const credentialsOf = (socket: ChatSocket): RequestCredentials | null => {
    const token = authToken(socket.handshake.auth);
    if (token !== undefined) return { via: 'bearer', token };
    const request = requestOf(socket);
    const cookie = request && readCookieToken(request);
    return cookie === undefined ? null : { via: 'cookie', token: cookie };
  };

  const identify = (socket: ChatSocket): Promise<Admitted> => gate(requestOf(socket), credentialsOf(socket));

  return (socket: ChatSocket, next: (error?: Error) => void): void => {
    const requestId = chooseRequestId(requestOf(socket)?.headers['x-request-id']);
    Promise.try(identify, socket).then(
      ({ actor, leave }) => {
        socket.data.actor = actor;
        socket.data.isExpiryTold = false;
        socket.data.departure = new Departure();
        socket.data.leave = leave;
        // A credential is not kept for as long as its socket lives, nor is the memory it takes.
        socket.handshake.auth = {};
        next();
        // A client that went away meanwhile is not connected any more, and no event says so.
        setImmediate(() => {
          if (!socket.connected) leave();
        });
      },
      (error: unknown) => next(refusal(error, requestId)),
    );
  };
};
