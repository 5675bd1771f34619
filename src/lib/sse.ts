import type { ServerResponse } from 'node:http';

/** One server-sent event, or a comment that only shows life (HTML standard, §9.2 Server-sent events). */
export type SseFrame =
  { readonly event: string; readonly id?: string; readonly data: unknown } | { readonly comment: string };

const encode = (frame: SseFrame): string => {
  if ('comment' in frame) return `: ${frame.comment}\n\n`;
  const id = frame.id === undefined ? '' : `id: ${frame.id}\n`;
  return `event: ${frame.event}\n${id}data: ${JSON.stringify(frame.data)}\n\n`;
};

const drained = (res: ServerResponse, signal: AbortSignal): Promise<void> =>
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
}

/** Headers of every event stream: never cached, never compressed, never buffered by nginx. */
export const sseHeaders = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-cache, no-store, no-transform',
  'X-Accel-Buffering': 'no',
  Connection: 'keep-alive',
} as const;

/**
 * Writes frames to a response until the source ends or the client leaves, then ends the response.
 * A client that reads slowly slows its own source down: the next frame is not asked for before the socket drained.
 */
export const pipeFrames = async (
  res: ServerResponse,
  frames: AsyncIterable<SseFrame>,
  { signal, heartbeatMs }: PipeOptions,
): Promise<void> => {
  res.writeHead(200, sseHeaders);
  res.write(encode({ comment: 'ok' }));
  const heartbeat = setInterval(() => {
    if (!res.writableNeedDrain) res.write(encode({ comment: 'keep-alive' }));
  }, heartbeatMs);
  try {
    for await (const frame of frames) {
      if (signal.aborted) break;
      if (!res.write(encode(frame))) await drained(res, signal);
    }
  } finally {
    clearInterval(heartbeat);
    res.end();
  }
};
