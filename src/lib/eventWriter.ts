import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { drained, isStuck, sseHeaders } from './sse.ts';

export interface EventWriterOptions {
  /** Aborted when the client is gone; whoever waits to write goes on then. */
  readonly signal: AbortSignal;
  /** Milliseconds of silence after which a comment shows life; before the first write it opens the response. */
  readonly heartbeatMs: number;
  /** Milliseconds after which a client that takes nothing is dropped; looked at with each heartbeat. */
  readonly stallMs: number;
  /** What the response says besides that it is an event stream, asked for when it is opened. */
  readonly headers: () => OutgoingHttpHeaders;
  /** Called when the client is dropped because it takes nothing. */
  readonly onStalled: () => void;
}

/** An event stream that is pushed: its frames are texts that somebody else made. */
export interface EventWriter {
  /** Whether the status and the headers are on their way: from then on an error can only be an event. */
  isOpen(): boolean;
  /** A promise means that the client is slow: write no more until it resolves. */
  write(frames: string): Promise<void> | undefined;
  end(frames: string): void;
}

const COMMENT = ': keep-alive\n\n';

/**
 * Nothing is sent before the first write, so that what fails until then can still be answered with a status of its own;
 * but a silence longer than the heartbeat opens the stream, because proxies cut what stays silent.
 */
export const createEventWriter = (res: ServerResponse, options: EventWriterOptions): EventWriter => {
  const { signal, heartbeatMs, stallMs } = options;
  let isQuiet = true;
  let stuckSince: number | null = null;

  const open = (): void => {
    if (!res.headersSent) res.writeHead(200, { ...sseHeaders, ...options.headers() });
  };

  const showLife = (): void => {
    stuckSince = null;
    if (isQuiet && !res.writableEnded) {
      open();
      res.write(COMMENT);
    }
    isQuiet = true;
  };
  const beat = (): void => {
    const now = performance.now();
    if (!isStuck(res)) {
      showLife();
    } else if (now - (stuckSince ??= now) >= stallMs) {
      options.onStalled();
      res.destroy();
    }
  };
  const heartbeat = setInterval(beat, heartbeatMs);
  res.once('close', () => clearInterval(heartbeat));

  const waitForClient = async (): Promise<void> => {
    await drained(res, signal);
    stuckSince = null;
  };

  return {
    isOpen: () => res.headersSent,
    write: (frames) => {
      open();
      isQuiet = false;
      return res.write(frames) ? undefined : waitForClient();
    },
    end: (frames) => {
      open();
      isQuiet = false;
      res.end(frames);
    },
  };
};
