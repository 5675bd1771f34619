import type { Request, Response } from 'express';
import { pipeFrames, sseHeaders, type SseFrame } from '../lib/sse.ts';
import { actorOf } from '../middleware/request.ts';
import { eventId, inPieces, parseEventId, type ReplyEvent } from '../schemas/events.ts';
import type { LoginEnds } from '../services/auth/index.ts';
import type { ConnectionCap } from '../services/limits/index.ts';
import type { ReplyHandle } from '../services/replies/index.ts';

/** Milliseconds between comments on a stream that has nothing to tell; proxies cut silent ones after 60 s. */
const HEARTBEAT_MS = 10_000;
/** Milliseconds until a client that takes nothing is dropped; it comes back with `Last-Event-ID`. */
const STALL_MS = 60_000;

/** Whether a client that said nothing about `stream` prefers events to JSON. */
export const wantsEventStream = (req: Request): boolean =>
  req.accepts(['application/json', 'text/event-stream']) === 'text/event-stream';

/** A signal that is aborted when the client is gone or the server must end its answers. */
export const goneSignal = (res: Response, closing: AbortSignal): AbortSignal => {
  const gone = new AbortController();
  res.once('close', () => gone.abort());
  return AbortSignal.any([gone.signal, closing]);
};

/** What an event stream needs to be let in, and to be ended with the login that opened it. */
export interface StreamGate {
  readonly connections: ConnectionCap;
  readonly loginEnds: LoginEnds;
}

/**
 * Takes one of the user's places for an event stream, until it is over; a logout ends it.
 * @throws AppError `RATE_LIMITED`
 */
export const admitStream = ({ connections, loginEnds }: StreamGate, req: Request, res: Response): void => {
  const actor = actorOf(req);
  const leave = connections.enter(actor.userId);
  const forget = loginEnds.onEnd(actor, () => res.destroy());
  const onClose = (): void => {
    leave();
    forget();
  };
  res.once('close', onClose);
  if (res.destroyed) onClose();
};

async function* toFrames(events: AsyncIterable<ReplyEvent>): AsyncGenerator<SseFrame> {
  for await (const whole of events) {
    for (const event of inPieces(whole)) {
      const id = eventId(event);
      yield { event: event.type, ...(id === undefined ? {} : { id }), data: event };
    }
  }
}

export interface StreamReplyOptions {
  readonly reply: ReplyHandle;
  /** UTF-16 units that the client holds; `Last-Event-ID` wins over it. */
  readonly offset: number;
  readonly closing: AbortSignal;
  readonly req: Request;
  readonly res: Response;
}

/**
 * Answers with the reply's events from an offset on, as server-sent events, until its last one.
 * A client that has the last event already is answered 204, which ends an `EventSource` for good.
 */
export const streamReply = async ({ reply, offset, closing, req, res }: StreamReplyOptions): Promise<void> => {
  const last = parseEventId(req.get('Last-Event-ID') ?? '');
  const isOfReply = last?.messageId === reply.messageId;
  if (isOfReply && last.isEnd) {
    res.status(204).end();
    return;
  }
  if (req.method === 'HEAD') {
    res.writeHead(200, sseHeaders).end();
    return;
  }
  const signal = goneSignal(res, closing);
  const from = isOfReply ? last.offset : offset;
  const onStalled = (): void => {
    res.locals.cut = 'stalled';
  };
  const options = { signal, heartbeatMs: HEARTBEAT_MS, stallMs: STALL_MS, onStalled };
  await pipeFrames(res, toFrames(reply.follow(from, signal)), options);
};
