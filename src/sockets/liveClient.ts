import type { Actor } from '../services/auth/index.ts';
import type { Emitter } from './replyEvents.ts';

/** What is known of a connected client. */
export interface SocketData {
  actor: Actor;
  /** Whether the client was told that its token ends soon. */
  isExpiryTold: boolean;
  /** Aborted when the client is gone. */
  readonly gone: AbortSignal;
}

/** A client at a live door: a Socket.IO socket, or a raw WebSocket. */
export interface LiveClient extends Emitter {
  readonly data: SocketData;
}

/** Why the server ends a client's connection; a code of `lib/errorCodes.ts`, which the client is told if it can be. */
export type EndReason = 'TOKEN_EXPIRED' | 'TOKEN_REVOKED';

/** The clients of one live door on this node. */
export interface LiveDoor {
  /** Whether an owner has a client here. */
  has(ownerId: string): boolean;
  /** All of an owner's clients here. */
  room(ownerId: string): Emitter;
  /** Visits every client; `end` closes its connection. */
  forEach(visit: (client: LiveClient, end: (reason: EndReason) => void) => void): void;
  /** Tells every client that the server closes, and closes their connections. */
  close(): void;
}
