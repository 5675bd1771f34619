import { STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { AppError } from '../lib/errors.ts';
import { chooseRequestId } from '../lib/ids.ts';
import type { Lifecycle } from '../lib/lifecycle.ts';
import type { Logger } from '../lib/logger.ts';
import { challengeOf } from '../schemas/challenge.ts';
import { toProblem, type Problem } from '../schemas/problem.ts';

/** An upgrade as Node hands it over: nobody answers it unless we do. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What the client has sent already behind its request. */
  readonly head: Buffer;
  readonly requestId: string;
}

/** Milliseconds for upgraded connections to end by themselves when the server stops; one that does not read never would. */
const LINGER_MS = 500;

const headersOf = (problem: Problem, body: string): string[] => {
  const challenge = challengeOf(problem.code);
  return [
    `HTTP/1.1 ${String(problem.status)} ${STATUS_CODES[problem.status] ?? ''}`,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${String(Buffer.byteLength(body))}`,
    'Cache-Control: no-store',
    'Connection: close',
    `X-Request-Id: ${problem.requestId}`,
    ...(problem.retryAfterMs === undefined ? [] : [`Retry-After: ${String(Math.ceil(problem.retryAfterMs / 1000))}`]),
    ...(challenge === null ? [] : [`WWW-Authenticate: ${challenge}`]),
  ];
};

/**
 * Answers an upgrade with a problem, as any request, and closes the connection: one that nobody answers would hang.
 * Returns what the client was told.
 */
export const refuseUpgrade = ({ socket, requestId }: Omit<Upgrade, 'request' | 'head'>, error: unknown): Problem => {
  const problem = toProblem(error, requestId);
  const body = JSON.stringify(problem);
  // A client that keeps its side open would stay half-connected; what it still sends is read so that nothing resets the answer.
  socket.once('finish', () => socket.destroy());
  socket.resume();
  socket.end(`${headersOf(problem, body).join('\r\n')}\r\n\r\n${body}`);
  return problem;
};

/** Exactly what engine.io takes for its own. */
const isSocketIo = (url: string): boolean => url.startsWith('/socket.io/');

const pathOf = (url: string): string => url.split('?', 1)[0] ?? '';

export interface UpgradesOptions {
  readonly http: Server;
  /** Who answers an upgrade, by path. */
  readonly doors: ReadonlyMap<string, (upgrade: Upgrade) => void>;
  readonly lifecycle: Lifecycle;
  readonly logger: Logger;
}

/**
 * Hands every upgrade that is not Socket.IO's to its door, refuses those on addresses that have no WebSocket, and keeps
 * errors of raw sockets out of the process. To be called before the doors register their own closing: what is still
 * connected after that is cut, so that no client holds up a shutdown.
 */
export const routeUpgrades = ({ http, doors, lifecycle, logger }: UpgradesOptions): void => {
  const log = logger.child('sockets');
  const open = new Set<Duplex>();
  // Shared by all sockets: there may be many thousands, and most are idle.
  const onError = (error: Error): void => log.debug('upgrade socket error', { err: error });
  const forget = function (this: Duplex): void {
    open.delete(this);
  };

  http.on('upgrade', (request, socket, head) => {
    socket.on('error', onError);
    open.add(socket);
    socket.on('close', forget);
    const url = request.url ?? '';
    if (isSocketIo(url)) return;
    const upgrade = { request, socket, head, requestId: chooseRequestId(request.headers['x-request-id']) };
    const door = doors.get(pathOf(url));
    if (door) door(upgrade);
    else refuseUpgrade(upgrade, new AppError('NOT_FOUND'));
  });

  lifecycle.onClose('sockets', 'upgraded connections', async () => {
    const late = Promise.withResolvers<null>();
    const timer = setTimeout(() => late.resolve(null), LINGER_MS);
    const closed = [...open].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    await Promise.race([Promise.all(closed), late.promise]);
    clearTimeout(timer);
    for (const socket of open) socket.destroy();
  });
};
