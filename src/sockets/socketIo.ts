import type { Server as HttpServer } from 'node:http';
import { Server } from 'socket.io';
import type { Logger } from '../lib/logger.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { Ack } from '../schemas/socketEvents.ts';
import type { Guard, WhenDrained } from './ack.ts';
import type { ChatServer, ChatSocket } from './chatSocket.ts';
import { createHandshake, type HandshakeOptions } from './handshake.ts';
import type { LiveDoor } from './liveClient.ts';
import { MAX_FRAME_BYTES } from './outbound.ts';
import { createBacklog, type Backlog } from './socketIo.backlog.ts';
import { watchPolling } from './socketIo.polling.ts';
import { createForgetRequest } from './socketIo.requests.ts';

/** A client that vanished without a word is gone after both together. */
const PING_INTERVAL_MS = 25_000;
const PING_TIMEOUT_MS = 15_000;

export interface SocketIoOptions extends HandshakeOptions {
  readonly http: HttpServer;
  readonly corsOrigins: readonly string[];
  readonly guard: Guard;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** The room of all sockets of one owner. */
const userRoom = (ownerId: string): string => `user:${ownerId}`;

const isAck = (value: unknown): value is Ack => typeof value === 'function';
const silent: Ack = () => undefined;

/** Puts everything that a socket emits before the guard. */
const attach = (socket: ChatSocket, guard: Guard, backlog: Backlog): void => {
  socket.onAny((event: string, ...args: unknown[]) => {
    const last = args.at(-1);
    const payload = isAck(args[0]) ? undefined : args[0];
    const ack = isAck(last) ? last : silent;
    const whenDrained: WhenDrained = (work) => backlog.whenDrained(socket.conn, work);
    void guard({ socket, event, read: () => payload, ack, whenDrained });
  });
};

/** Puts Socket.IO on the HTTP server. */
export const startSocketIo = (options: SocketIoOptions): LiveDoor => {
  const { http, corsOrigins, guard, logger, metrics } = options;
  const io: ChatServer = new Server(http, {
    serveClient: false,
    perMessageDeflate: false,
    httpCompression: false,
    maxHttpBufferSize: MAX_FRAME_BYTES,
    connectTimeout: 5_000,
    pingInterval: PING_INTERVAL_MS,
    pingTimeout: PING_TIMEOUT_MS,
    // An upgrade elsewhere on this server has its own door (upgrade.ts) and is not to be cut here after a second.
    destroyUpgrade: false,
    cors: { origin: [...corsOrigins], credentials: true },
  });
  const backlog = createBacklog(io.engine, (connection, queuedBytes) => {
    metrics.clientDropped('socket.io', 'slow');
    const socket = [...io.of('/').sockets.values()].find(({ conn }) => conn === connection);
    const userId = socket?.data.actor.userId;
    logger.info('client dropped', { door: 'socket.io', reason: 'slow', userId, queuedBytes });
  });

  const forgetRequest = createForgetRequest(io.engine);
  const endPolling = watchPolling(io.engine);
  const onError = (error: Error): void => logger.warn('socket error', { err: error });

  io.use(createHandshake(options));
  io.on('connection', (socket: ChatSocket) => {
    forgetRequest(socket);
    socket.on('disconnect', () => {
      socket.data.departure.end();
      socket.data.leave();
      backlog.forget(socket.conn);
    });
    socket.on('error', onError);
    void socket.join(userRoom(socket.data.actor.ownerId));
    backlog.watch(socket.conn);
    attach(socket, guard, backlog);
  });

  return {
    has: (ownerId) => io.of('/').adapter.rooms.has(userRoom(ownerId)),
    // Local, because each node tells its own sockets.
    room: (ownerId) => io.local.to(userRoom(ownerId)),
    forEach: (visit) => {
      for (const socket of io.of('/').sockets.values()) visit(socket, () => socket.disconnect(true));
    },
    close: () => {
      io.emit('server:closing', { retryAfterMs: 1000 });
      io.disconnectSockets(true);
      io.engine.close();
      endPolling();
    },
  };
};
