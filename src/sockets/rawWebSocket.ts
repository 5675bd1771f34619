import type { IncomingMessage } from 'node:http';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import type { Clock } from '../lib/clock.ts';
import { AppError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { Metrics } from '../lib/metrics.ts';
import { answerFrame, eventFrame, readFrame } from '../schemas/rawFrames.ts';
import type { Actor, RequestCredentials } from '../services/auth/index.ts';
import type { Guard } from './ack.ts';
import type { Gate } from './gate.ts';
import type { LiveDoor } from './liveClient.ts';
import { CLOSE, MAX_FRAME_BYTES } from './outbound.ts';
import { createRawConnection, type RawConnection } from './rawConnection.ts';
import { startRawHeartbeat } from './rawHeartbeat.ts';
import { refuseUpgrade, type Upgrade } from './upgrade.ts';

export const RAW_PATH = '/api/chat/ws';

export interface RawWebSocketOptions {
  readonly gate: Gate;
  /** What an upgrade brought to show who makes it; the ticket is the one in its URL. */
  readonly readCredentials: (request: IncomingMessage, ticket: string | null) => RequestCredentials | null;
  readonly guard: Guard;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export interface RawDoor extends LiveDoor {
  /** Answers an upgrade on `RAW_PATH`. */
  upgrade(upgrade: Upgrade): void;
}

const ticketOf = ({ url = '' }: IncomingMessage): string | null =>
  new URLSearchParams(url.slice(url.indexOf('?') + 1)).get('ticket') || null;

/** The connections of each owner; an owner without one takes no memory. */
const createRooms = () => {
  const rooms = new Map<string, Set<RawConnection>>();
  return {
    rooms,
    enter: (ownerId: string, connection: RawConnection): void => {
      const room = rooms.get(ownerId) ?? new Set();
      rooms.set(ownerId, room.add(connection));
      connection.data.departure.signal.addEventListener('abort', () => {
        room.delete(connection);
        if (room.size === 0) rooms.delete(ownerId);
      });
    },
  };
};

/** Answers each frame of a client by the guard, and keeps what goes wrong with its wire out of the process. */
const attach = (connection: RawConnection, { guard, clock, logger }: RawWebSocketOptions): void => {
  const { ws, data } = connection;
  const heard = (): void => {
    connection.heardAt = clock.now();
    connection.pingedAt = null;
  };
  ws.on('message', (bytes: RawData, isBinary: boolean) => {
    heard();
    if (data.departure.isOver || !Buffer.isBuffer(bytes)) return;
    const frame = readFrame(bytes, isBinary);
    void guard({
      socket: connection,
      event: frame.type,
      read: frame.read,
      ack: (answer) => connection.send(answerFrame(frame, answer)),
      whenDrained: connection.whenDrained,
    });
  });
  ws.on('pong', heard);
  // A frame that is too large or no WebSocket frame at all; ws closes with the code for it.
  ws.on('error', (error) => logger.debug('raw socket error', { err: error }));
  ws.once('close', () => connection.end());
};

/** The door for clients that have a WebSocket and no Socket.IO: JSON text frames on `GET /api/chat/ws`. */
export const startRawWebSocket = (options: RawWebSocketOptions): RawDoor => {
  const { gate, readCredentials, clock, logger, metrics } = options;
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_FRAME_BYTES,
  });
  const { rooms, enter } = createRooms();
  const log = logger.child('sockets');

  const drop = (connection: RawConnection, reason: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    metrics.clientDropped('websocket', reason);
    log.info('client dropped', { door: 'websocket', reason, userId: connection.data.actor.userId, ...fields });
  };

  const open = (ws: WebSocket, actor: Actor): void => {
    const connection: RawConnection = createRawConnection({
      ws,
      actor,
      now: clock.now(),
      onSlow: (queuedBytes) => drop(connection, 'slow', { queuedBytes }),
    });
    enter(actor.ownerId, connection);
    attach(connection, options);
  };

  function* connections(): Generator<RawConnection> {
    for (const room of rooms.values()) yield* room;
  }

  const heartbeat = startRawHeartbeat(connections, clock, (connection) => {
    drop(connection, 'silent');
    connection.ws.terminate();
  });

  const logAnswer = (requestId: string, status: number, startedAt: number): void => {
    const durationMs = Math.round(performance.now() - startedAt);
    metrics.request({ method: 'GET', route: RAW_PATH, status, durationMs });
    log.info('upgrade answered', { requestId, status, durationMs });
  };

  const admit = async (upgrade: Upgrade): Promise<void> => {
    const { request, socket, head } = upgrade;
    const { actor, leave } = await gate(request, readCredentials(request, ticketOf(request)));
    socket.once('close', leave);
    if (socket.closed) leave();
    server.handleUpgrade(request, socket, head, (ws) => open(ws, actor));
  };

  // Thrown out of `handleUpgrade`, which emits it: so a bad key or version is refused like all else, not by ws in HTML.
  server.on('wsClientError', (cause) => {
    throw new AppError('VALIDATION_FAILED', { detail: 'This is not a WebSocket handshake of RFC 6455', cause });
  });

  return {
    upgrade: (upgrade) => {
      const startedAt = performance.now();
      admit(upgrade).then(
        () => logAnswer(upgrade.requestId, 101, startedAt),
        (error: unknown) => logAnswer(upgrade.requestId, refuseUpgrade(upgrade, error).status, startedAt),
      );
    },
    has: (ownerId) => rooms.has(ownerId),
    room: (ownerId) => ({
      emit: (event, ...payload) => {
        const frame = eventFrame(event, ...payload);
        for (const connection of rooms.get(ownerId) ?? []) connection.send(frame);
      },
    }),
    forEach: (visit) => {
      for (const connection of connections()) {
        visit(connection, (reason) => connection.close(CLOSE.policy.code, reason));
      }
    },
    close: () => {
      clearInterval(heartbeat);
      for (const connection of connections()) {
        connection.emit('server:closing', { retryAfterMs: 1000 });
        connection.close(CLOSE.restart.code, CLOSE.restart.reason);
      }
    },
  };
};
