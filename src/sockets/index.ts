import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Config } from '../config/index.ts';
import type { Clock } from '../lib/clock.ts';
import type { Lifecycle } from '../lib/lifecycle.ts';
import type { Logger } from '../lib/logger.ts';
import type { Metrics } from '../lib/metrics.ts';
import { pingSchema } from '../schemas/rawFrames.ts';
import type { AuthService, RequestCredentials } from '../services/auth/index.ts';
import type { ChatService } from '../services/chat/index.ts';
import type { EventBus } from '../services/events.ts';
import { actorKey, enforceLimit, type Limits } from '../services/limits/index.ts';
import { createGuard, handle, type DoorEvents } from './ack.ts';
import { createChatHandlers } from './chat.handlers.ts';
import { startFanout } from './fanout.ts';
import { createGate } from './gate.ts';
import { watchLogins } from './logins.ts';
import { RAW_PATH, startRawWebSocket } from './rawWebSocket.ts';
import { startSocketIo } from './socketIo.ts';
import { routeUpgrades } from './upgrade.ts';

export interface SocketsOptions {
  readonly http: HttpServer;
  readonly auth: Pick<AuthService, 'authenticate'>;
  readonly chat: ChatService;
  readonly events: EventBus;
  readonly limits: Pick<Limits, 'api' | 'connections'>;
  readonly config: Pick<Config, 'server'>;
  readonly isOwnRequest: (request: IncomingMessage) => boolean | null;
  readonly readCookieToken: (request: IncomingMessage) => string | undefined;
  readonly readCredentials: (request: IncomingMessage, ticket: string | null) => RequestCredentials | null;
  readonly lifecycle: Lifecycle;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** What clients may ask at each live door, and who. What begins a reply is counted inside its use case, all else here. */
export const createDoorEvents = (
  { chat, auth, limits }: SocketsOptions,
  roomPosition: (messageId: string) => number | null,
): { readonly socketIo: DoorEvents; readonly raw: DoorEvents } => {
  const handlers = createChatHandlers({
    chat,
    authenticateToken: (token) => auth.authenticate({ via: 'bearer', token }),
    roomPosition,
  });
  const countAllBut =
    (...begins: readonly string[]): DoorEvents['checkLimit'] =>
    async (actor, event) => {
      if (!begins.includes(event)) await enforceLimit(limits.api, actorKey(actor));
    };
  return {
    socketIo: {
      handlers,
      refresh: 'auth:refresh',
      ping: null,
      checkLimit: countAllBut('chat:send', 'chat:regenerate', 'chat:edit'),
    },
    raw: {
      handlers: {
        message: handlers['chat:send'],
        resume: handlers['chat:resume'],
        stop: handlers['chat:stop'],
        refresh: handlers['auth:refresh'],
        ping: handle('read', pingSchema, () => Promise.resolve({})),
      },
      refresh: 'refresh',
      ping: 'ping',
      checkLimit: countAllBut('message'),
    },
  };
};

/** Puts the doors for live clients on the HTTP server: Socket.IO and the raw WebSocket. */
export const startSockets = (options: SocketsOptions): void => {
  const { http, config, auth, limits, events, lifecycle, clock, metrics } = options;
  const logger = options.logger.child('sockets');
  const isClosing = (): boolean => lifecycle.isClosing();
  const { connections } = limits;
  const gate = createGate({ ...options, authenticate: auth.authenticate, connections, isClosing });
  const asked = createDoorEvents(options, (messageId) => fanout.position(messageId));
  const tools = { gate, clock, logger, metrics };

  const guard = createGuard({ ...tools, ...asked.socketIo, method: 'SOCKET' });
  const { corsOrigins } = config.server;
  const socketIo = startSocketIo({ ...tools, http, guard, corsOrigins, readCookieToken: options.readCookieToken });
  const rawGuard = createGuard({ ...tools, ...asked.raw, method: 'WEBSOCKET' });
  const raw = startRawWebSocket({ ...tools, guard: rawGuard, readCredentials: options.readCredentials });

  const doors = [socketIo, raw];
  const fanout = startFanout({ doors, events, logger });
  const endWatch = watchLogins({ doors, events, clock });
  routeUpgrades({ http, doors: new Map([[RAW_PATH, (upgrade) => raw.upgrade(upgrade)]]), lifecycle, logger });

  lifecycle.onClose('sockets', 'live clients', () => {
    endWatch();
    fanout.close();
    for (const door of doors) door.close();
  });
};
