import type { WebSocket } from 'ws';
import { eventFrame } from '../schemas/rawFrames.ts';
import type { Actor } from '../services/auth/index.ts';
import type { WhenDrained } from './ack.ts';
import { Departure, type LiveClient } from './liveClient.ts';
import { CLOSE, closeWebSocket, FRAME_COST_BYTES, MAX_QUEUE_BYTES } from './outbound.ts';

/** A raw WebSocket of a user. */
export interface RawConnection extends LiveClient {
  readonly ws: WebSocket;
  /** Sends a frame behind those that wait; nothing once the client is gone. */
  send(frame: string): void;
  readonly whenDrained: WhenDrained;
  /** From here on the client is gone for us; it has a moment to read what was sent and why it is closed. */
  close(code: number, reason: string): void;
  /** The client is gone. */
  end(): void;
  /** When it showed life, and when it was asked to since; in milliseconds of the clock. */
  heardAt: number;
  pingedAt: number | null;
}

export interface RawConnectionOptions {
  readonly ws: WebSocket;
  readonly actor: Actor;
  readonly now: number;
  /** Called once, when more waits for the client than may; it is closed then. */
  readonly onSlow: (queuedBytes: number) => void;
}

/**
 * Sends as Engine.IO does: all frames that wait are handed to the socket at once, and the next ones when those have left
 * the process. So what waits can be counted, bounded and thrown away; in the socket's own buffer it could not.
 */
export const createRawConnection = ({ ws, actor, now, onSlow }: RawConnectionOptions): RawConnection => {
  const departure = new Departure();
  let waiting: string[] = [];
  let waitingBytes = 0;
  let isBusy = false;
  let onDrained: (() => void)[] = [];

  const wakeDrained = (): void => {
    const wakeUps = onDrained;
    onDrained = [];
    for (const wakeUp of wakeUps) wakeUp();
  };

  const flush = (): void => {
    const batch = waiting;
    const last = batch.pop();
    isBusy = last !== undefined;
    if (last === undefined) return;
    waiting = [];
    waitingBytes = 0;
    for (const frame of batch) ws.send(frame);
    ws.send(last, flush);
    wakeDrained();
  };

  const end = (): void => {
    waiting = [];
    departure.end();
    wakeDrained();
  };

  const close = (code: number, reason: string): void => {
    if (departure.isOver) return;
    for (const frame of waiting) ws.send(frame);
    end();
    closeWebSocket(ws, code, reason);
  };

  const send = (frame: string): void => {
    if (departure.isOver) return;
    waiting.push(frame);
    if (!isBusy) {
      flush();
      return;
    }
    waitingBytes += Buffer.byteLength(frame) + FRAME_COST_BYTES;
    if (waitingBytes <= MAX_QUEUE_BYTES) return;
    onSlow(waitingBytes);
    waiting = [];
    close(CLOSE.slow.code, CLOSE.slow.reason);
  };

  const whenDrained = async (work: () => void): Promise<void> => {
    while (waiting.length > 0) {
      const { promise, resolve } = Promise.withResolvers<unknown>();
      onDrained.push(() => resolve(null));
      await promise;
    }
    departure.signal.throwIfAborted();
    work();
  };

  return {
    ws,
    data: { actor, isExpiryTold: false, departure },
    emit: (event, ...payload) => send(eventFrame(event, ...payload)),
    send,
    whenDrained,
    close,
    end,
    heardAt: now,
    pingedAt: null,
  };
};
