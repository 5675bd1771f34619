import { z } from 'zod';
import { AppError } from '../lib/errors.ts';
import { parseJson } from '../lib/json.ts';
import { text } from './common.ts';
import { parseInput } from './problem.ts';
import type { Ack, ServerEvents } from './socketEvents.ts';

/** A client's name for a frame, which the answer to it carries. */
const frameIdSchema = z.union([text(1, 64), z.int()]);
export type FrameId = z.infer<typeof frameIdSchema>;

export const pingSchema = z.strictObject({});

const envelopeSchema = z.looseObject({ type: z.string().max(32), id: frameIdSchema.optional() });

/** A client's frame, `{ type, id?, … }`. */
export interface ClientFrame {
  readonly type: string;
  readonly id: FrameId | undefined;
  /** All else that is in it. @throws AppError when the frame is none */
  readonly read: () => unknown;
}

const parseFrame = (data: Uint8Array, isBinary: boolean): unknown => {
  if (isBinary) throw new AppError('UNSUPPORTED_MEDIA_TYPE', { detail: 'A frame must be JSON text' });
  return parseJson(data);
};

/** The id of what may be no good frame otherwise, so that its error can be told apart from others. */
const idOf = (value: unknown): FrameId | undefined => {
  const hasId = value !== null && typeof value === 'object' && 'id' in value;
  return hasId ? frameIdSchema.safeParse(value.id).data : undefined;
};

/** Reads any bytes as a frame; what is wrong with them is thrown when the payload is asked for. */
export const readFrame = (data: Uint8Array, isBinary: boolean): ClientFrame => {
  let value: unknown;
  try {
    value = parseFrame(data, isBinary);
    const { type, id, ...payload } = parseInput(envelopeSchema, value);
    return { type, id, read: () => payload };
  } catch (error) {
    const read = (): never => {
      throw error;
    };
    return { type: 'unknown', id: idOf(value), read };
  }
};

/** The answer to a frame: what a socket's ack holds, as a frame of its own. */
export const answerFrame = ({ type, id }: ClientFrame, answer: Parameters<Ack>[0]): string => {
  const named = id === undefined ? {} : { id };
  if (!answer.ok) return JSON.stringify({ type: 'error', ...named, error: answer.error });
  return JSON.stringify(type === 'ping' ? { type: 'pong', ...named } : { type: 'ack', ...named, ...answer });
};

/** What the server tells, as a frame: the type is the event's name without the door's prefix, `delta` for `chat:delta`. */
export const eventFrame = <K extends keyof ServerEvents>(event: K, ...[payload]: Parameters<ServerEvents[K]>): string =>
  JSON.stringify({ type: event.slice(event.indexOf(':') + 1), ...payload });
