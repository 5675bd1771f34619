import type { ServerResponse } from 'node:http';

/** One server-sent event, or a comment that only shows life (HTML standard, §9.2 Server-sent events). */
export type SseFrame =
  { readonly event: string; readonly id?: string; readonly data: unknown } | { readonly comment: string };

const encode = (frame: SseFrame): string => {
  if ('comment' in frame) return `: ${frame.comment}\n\n`;
  const id = frame.id === undefined ? '' : `id: ${frame.id}\n`;
  return `event: ${frame.event}\n${id}data: ${JSON.stringify(frame.data)}\n\n`;
};

/** Resolves when the client has taken what was written, or is gone. */
export const drained = (res: ServerResponse, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      res.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    res.on('drain', done);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });

export interface PipeOptions {
  /** Aborted when the client is gone: the frames' source ends then too. */
  readonly signal: AbortSignal;
  /** Milliseconds between comments while nothing else is sent, so that proxies keep the connection. */
  readonly heartbeatMs: number;
  /** Milliseconds after which a client that takes nothing is dropped; looked at with each heartbeat. */
  readonly stallMs: number;
  /** Called when the client is dropped because it takes nothing. */
  readonly onStalled: () => void;
}

/** Headers of every event stream: never cached, never compressed, never buffered by nginx. */
export const sseHeaders = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-cache, no-store, no-transform',
  'X-Accel-Buffering': 'no',
  Connection: 'keep-alive',
} as const;

/** Whether the client has still to take what was written. */
export const isStuck = (res: ServerResponse): boolean =>
  res.writableNeedDrain || (res.writableEnded && !res.writableFinished);

/**
 * Shows life as long as the response is open, and drops a client that takes nothing any more. Returns what to call when
 * it took something.
 */
const startHeartbeat = (res: ServerResponse, { heartbeatMs, stallMs, onStalled }: PipeOptions): (() => void) => {
  let stuckSince: number | null = null;
  const heartbeat = setInterval(() => {
    const now = performance.now();
    if (res.destroyed) {
      clearInterval(heartbeat);
    } else if (!isStuck(res)) {
      stuckSince = null;
      if (!res.writableEnded) res.write(encode({ comment: 'keep-alive' }));
    } else if (now - (stuckSince ??= now) >= stallMs) {
      onStalled();
      res.destroy();
    }
  }, heartbeatMs);
  res.once('close', () => clearInterval(heartbeat));
  return () => {
    stuckSince = null;
  };
};

/**
 * Writes frames to a response until the source ends or the client leaves, then ends the response.
 * A client that reads slowly slows its own source down: the next frame is not asked for before the socket drained, so it
 * costs one frame and no queue. One that does not read at all is dropped after `stallMs`.
 */
export const pipeFrames = async (
  res: ServerResponse,
  frames: AsyncIterable<SseFrame>,
  options: PipeOptions,
): Promise<void> => {
  const { signal } = options;
  res.writeHead(200, sseHeaders);
  res.write(encode({ comment: 'ok' }));
  const taken = startHeartbeat(res, options);
  try {
    for await (const frame of frames) {
      if (signal.aborted) break;
      if (res.write(encode(frame))) continue;
      await drained(res, signal);
      taken();
    }
  } finally {
    res.end();
  }
};
