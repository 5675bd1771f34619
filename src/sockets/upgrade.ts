import { STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from '../lib/logger.ts';

/** Answers an upgrade with a status and closes the connection: an upgrade that nobody answers would hang. */
export const rejectUpgrade = (socket: Duplex, status: number): void => {
  socket.end(
    `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
  );
};

const isSocketIo = (request: IncomingMessage): boolean => /^\/socket\.io\/?(\?|$)/.test(request.url ?? '');

/** Refuses upgrades on addresses that have no WebSocket, and keeps errors of raw sockets out of the process. */
export const refuseUpgrade = (server: Server, logger: Logger): void => {
  const log = logger.child('sockets');
  server.on('upgrade', (request, socket) => {
    socket.on('error', (error) => log.debug('upgrade socket error', { err: error }));
    if (!isSocketIo(request)) rejectUpgrade(socket, 404);
  });
};
