import type { Actor } from '../services/auth/index.ts';
import type { Emitter } from './replyEvents.ts';

/** What is known of a connected client. */
export interface SocketData {
  actor: Actor;
  /** Whether the client was told that its token ends soon. */
  isExpiryTold: boolean;
  /** Whether the client is gone, and how to hear of it. */
  departure: Departure;
}

/**
 * When a client goes. The signal is made for the first who asks: most clients never follow anything by themselves, and each
 * signal takes half a kilobyte for as long as its client is connected.
 */
export class Departure {
  isOver = false;
  #controller: AbortController | null = null;

  /** Aborted when the client is gone. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.isOver) this.#controller.abort();
    return this.#controller.signal;
  }

  /** The client is gone. */
  end(): void {
    this.isOver = true;
    this.#controller?.abort();
  }
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
