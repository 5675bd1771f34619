import type { Server as HttpServer, IncomingMessage } from 'node:http';
import { Server } from 'socket.io';
import type { Config } from '../config/index.ts';
import type { Clock } from '../lib/clock.ts';
import type { Lifecycle } from '../lib/lifecycle.ts';
import type { Logger } from '../lib/logger.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { AuthService } from '../services/auth/index.ts';
import type { ChatService } from '../services/chat/index.ts';
import type { EventBus } from '../services/events.ts';
import { enforceLimit, userKey, type Limiter } from '../services/limits/index.ts';
import { createGuard, type ChatSocket } from './ack.ts';
import { createChatHandlers } from './chat.handlers.ts';
import { startFanout, userRoom, type ChatServer } from './fanout.ts';
import { createHandshake } from './handshake.ts';

/** Bytes of one frame from a client: a message of 50,000 characters fits, and little more. */
const MAX_FRAME_BYTES = 256 * 1024;
/** Milliseconds between two looks at the sockets' tokens. */
const EXPIRY_CHECK_MS = 1_000;
/** A client is told this long before its token ends, and dropped this long after. */
const EXPIRY_NOTICE_MS = 60_000;
const EXPIRY_GRACE_MS = 5_000;

export interface SocketsOptions {
  readonly http: HttpServer;
  readonly auth: Pick<AuthService, 'authenticate'>;
  readonly chat: ChatService;
  readonly events: EventBus;
  /** The limit of all events but sends, which have their own inside the use case. */
  readonly apiLimiter: Limiter;
  readonly config: Pick<Config, 'server'>;
  readonly isOwnRequest: (request: IncomingMessage) => boolean | null;
  readonly readCookieToken: (request: IncomingMessage) => string | undefined;
  readonly lifecycle: Lifecycle;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Tells sockets whose token ends, and drops those whose token has ended. */
const checkExpiry = (io: ChatServer, now: number): void => {
  for (const socket of io.of('/').sockets.values()) {
    const { expiresAt } = socket.data.actor;
    if (!expiresAt) continue;
    const leftMs = expiresAt.getTime() - now;
    if (leftMs <= -EXPIRY_GRACE_MS) socket.disconnect(true);
    else if (leftMs <= EXPIRY_NOTICE_MS && !socket.data.isExpiryTold) {
      socket.data.isExpiryTold = true;
      socket.emit('auth:expiring', { expiresAt: expiresAt.toISOString() });
    }
  }
};

/** Puts Socket.IO on the HTTP server: the door for live clients. */
export const startSockets = (options: SocketsOptions): void => {
  const { http, config, auth, chat, events, apiLimiter, lifecycle, clock, metrics } = options;
  const logger = options.logger.child('sockets');
  const io: ChatServer = new Server(http, {
    serveClient: false,
    perMessageDeflate: false,
    httpCompression: false,
    maxHttpBufferSize: MAX_FRAME_BYTES,
    connectTimeout: 5_000,
    // A raw WebSocket elsewhere on this server is refused by the server itself, not cut here after a second.
    destroyUpgrade: false,
    cors: { origin: [...config.server.corsOrigins], credentials: true },
  });

  io.use(createHandshake({ ...options, authenticate: auth.authenticate, isClosing: () => lifecycle.isClosing }));
  const fanout = startFanout({ io, events, logger });
  const guard = createGuard({
    handlers: createChatHandlers({
      chat,
      authenticateToken: (token) => auth.authenticate({ via: 'bearer', token }),
      roomPosition: (messageId) => fanout.position(messageId),
    }),
    checkLimit: async (actor, event) => {
      if (event !== 'chat:send') await enforceLimit(apiLimiter, userKey(actor.userId));
    },
    clock,
    logger,
    metrics,
  });

  io.on('connection', (socket: ChatSocket) => {
    const gone = new AbortController();
    socket.data = { ...socket.data, gone: gone.signal };
    socket.once('disconnect', () => gone.abort());
    socket.on('error', (error: Error) => logger.warn('socket error', { err: error }));
    void socket.join(userRoom(socket.data.actor.ownerId));
    guard(socket);
  });

  const dropWhere = (ownerId: string, isEnded: (socket: ChatSocket) => boolean): void => {
    for (const socket of io.of('/').sockets.values()) {
      if (socket.data.actor.ownerId === ownerId && isEnded(socket)) socket.disconnect(true);
    }
  };
  const subscriptions = [
    events.subscribe('loginEnded', ({ ownerId, loginId }) =>
      dropWhere(ownerId, (socket) => socket.data.actor.loginId === loginId),
    ),
    events.subscribe('accountEnded', ({ ownerId }) => dropWhere(ownerId, () => true)),
  ];
  const expiry = setInterval(() => checkExpiry(io, clock.now()), EXPIRY_CHECK_MS);
  expiry.unref();

  lifecycle.onClose('sockets', 'socket.io', async () => {
    clearInterval(expiry);
    for (const unsubscribe of subscriptions) unsubscribe();
    fanout.close();
    io.emit('server:closing', { retryAfterMs: 1000 });
    io.disconnectSockets(true);
    io.engine.close();
    await Promise.resolve();
  });
};
