import { z } from 'zod';
import type { Usage } from '../models/entities.ts';
import { problemSchema, type Problem } from './problem.ts';
import { usageSchema } from './message.schemas.ts';

interface OfReply {
  readonly chatId: string;
  readonly messageId: string;
}

/** What a client sees of one reply, the same shape on SSE, Socket.IO (`chat:<type>`) and a raw WebSocket. */
export type ReplyEvent =
  | (OfReply & {
      readonly type: 'start';
      readonly userMessageId: string;
      readonly clientMessageId: string;
      readonly model: string | null;
    })
  | (OfReply & { readonly type: 'delta'; readonly offset: number; readonly text: string })
  | (OfReply & { readonly type: 'reasoning'; readonly text: string })
  | (OfReply & {
      readonly type: 'switch';
      readonly from: string;
      readonly to: string;
      readonly offset: number;
      readonly reason: string;
    })
  | (OfReply & { readonly type: 'reset'; readonly length: number })
  | (OfReply & {
      readonly type: 'end';
      readonly status: 'complete' | 'stopped';
      readonly length: number;
      readonly model: string | null;
      readonly usage: Usage | null;
      readonly finishReason: string | null;
      readonly latencyMs: { readonly firstToken: number | null; readonly total: number } | null;
    })
  | (OfReply & {
      readonly type: 'failed';
      readonly status: 'failed' | 'interrupted';
      readonly length: number;
      readonly error: Problem;
    });

export const isLastEvent = (event: ReplyEvent): boolean => event.type === 'end' || event.type === 'failed';

/** UTF-16 units of a delta that is sent in one piece: what a client that reads slowly costs is measured in these. */
const PIECE_UNITS = 64 * 1024;

const isLowSurrogate = (code: number): boolean => code >= 0xdc00 && code <= 0xdfff;

/** An event in pieces that are small enough to wait for a client in: a long delta as several, all else as it is. */
export function* inPieces(event: ReplyEvent): Generator<ReplyEvent> {
  if (event.type !== 'delta' || event.text.length <= PIECE_UNITS) {
    yield event;
    return;
  }
  const { text, offset } = event;
  for (let from = 0; from < text.length;) {
    let to = Math.min(from + PIECE_UNITS, text.length);
    if (isLowSurrogate(text.charCodeAt(to))) to -= 1;
    yield { ...event, offset: offset + from, text: text.slice(from, to) };
    from = to;
  }
}

/** The offset that a client holds after an event, or null when the event says nothing about it. */
const offsetAfter = (event: ReplyEvent): number | null => {
  switch (event.type) {
    case 'start':
      return 0;
    case 'delta':
      return event.offset + event.text.length;
    case 'switch':
      return event.offset;
    case 'reset':
    case 'end':
    case 'failed':
      return event.length;
    case 'reasoning':
      return null;
  }
};

/** The SSE id of an event: `<messageId>:<offset after it>`, with `:end` on the last one. */
export const eventId = (event: ReplyEvent): string | undefined => {
  const offset = offsetAfter(event);
  if (offset === null) return undefined;
  return `${event.messageId}:${String(offset)}${isLastEvent(event) ? ':end' : ''}`;
};

const EVENT_ID = /^([0-9a-f-]{36}):(\d{1,9})(:end)?$/;

/** Reads an SSE id back; null when it is not one of ours. */
export const parseEventId = (id: string): { messageId: string; offset: number; isEnd: boolean } | null => {
  const match = EVENT_ID.exec(id);
  if (!match) return null;
  return { messageId: match[1] ?? '', offset: Number(match[2]), isEnd: match[3] !== undefined };
};

const ofReply = { chatId: z.string(), messageId: z.string() };
const length = z.int().min(0).meta({ description: 'UTF-16 units' });

/** The same events for the documentation and for tests that check every event against it. */
export const replyEventSchema = z
  .discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('start'),
      ...ofReply,
      userMessageId: z.string(),
      clientMessageId: z.string(),
      model: z.string().nullable(),
    }),
    z.strictObject({ type: z.literal('delta'), ...ofReply, offset: length, text: z.string() }),
    z.strictObject({ type: z.literal('reasoning'), ...ofReply, text: z.string() }),
    z.strictObject({
      type: z.literal('switch'),
      ...ofReply,
      from: z.string(),
      to: z.string(),
      offset: length,
      reason: z.string(),
    }),
    z.strictObject({ type: z.literal('reset'), ...ofReply, length }),
    z.strictObject({
      type: z.literal('end'),
      ...ofReply,
      status: z.enum(['complete', 'stopped']),
      length,
      model: z.string().nullable(),
      usage: usageSchema.nullable(),
      finishReason: z.string().nullable(),
      latencyMs: z.strictObject({ firstToken: z.number().nullable(), total: z.number() }).nullable(),
    }),
    z.strictObject({
      type: z.literal('failed'),
      ...ofReply,
      status: z.enum(['failed', 'interrupted']),
      length,
      error: problemSchema,
    }),
  ])
  .meta({ id: 'ReplyEvent' });
