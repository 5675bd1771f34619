import type { Random } from '../random.ts';
import { readEvents } from '../sse.ts';
import type { Entry } from './history.ts';
import { Refusal, toError, type Sending } from './sending.ts';

/** Where a client sends to, and who it is. */
export interface Door {
  readonly url: string;
  readonly token: string;
  readonly random: Random;
  /** How often a client whose connection broke sends the same again instead of asking for the rest: 0 to 1. */
  readonly repeats: number;
  readonly record: (entry: Entry) => void;
  /** Aborts the try: the connection is broken, or the wait is longer than any promise allows. */
  readonly signal: AbortSignal;
}

/** One try: ends with the reply's end, or throws; then the next try begins. */
export type Attempt = (door: Door, sending: Sending) => Promise<void>;

const request = (door: Door, path: string, body?: object, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${door.url}${path}`, {
    signal: door.signal,
    headers: { Authorization: `Bearer ${door.token}`, 'Content-Type': 'application/json', ...headers },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });

// What a server answers is `any` until the checker has seen it.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
const json = async (response: Response): Promise<any> => response.json();

/** Reads a reply's events and keeps what they say; returns when the stream ends. */
const readReply = async (response: Response, { record }: Door, sending: Sending): Promise<void> => {
  if (!response.ok) throw toError(await json(response));
  for await (const { event, data } of readEvents(response)) {
    if (event === 'start') {
      sending.onAck(data);
    } else if (event === 'delta') {
      const held = sending.held.length;
      // On a stream of one reply, read from an offset on, there is no reason for a hole.
      if (!sending.onDelta(data)) record({ kind: 'gap', messageId: data.messageId, offset: data.offset, held });
    } else if (event === 'reset') {
      sending.onReset(data.length);
    } else if (event === 'end' || event === 'failed') {
      sending.onEnd(data);
    }
  }
};

/** Goes on with a reply from what the client holds of it: by `Last-Event-ID` as an EventSource does, or by `offset`. */
const follow = async (door: Door, sending: Sending, messageId: string): Promise<void> => {
  const { length } = sending.held;
  const path = `/api/chat/messages/${messageId}/stream`;
  const asEventSource = door.random.isTrue(0.5);
  const response = asEventSource
    ? await request(door, path, undefined, { 'Last-Event-ID': `${messageId}:${String(length)}` })
    : await request(door, `${path}?offset=${String(length)}`);
  await readReply(response, door, sending);
};

/** Over SSE: sends, and after a broken stream either resumes it or sends the same once more. */
export const sseAttempt: Attempt = async (door, sending) => {
  if (sending.ids && !door.random.isTrue(door.repeats)) {
    await follow(door, sending, sending.ids.messageId);
    return;
  }
  await readReply(await request(door, '/api/chat/message', { ...sending.body, stream: true }), door, sending);
};

/** As one JSON answer: a failure that names what is stored is looked up, any other is tried again. */
export const jsonAttempt: Attempt = async (door, sending) => {
  const response = await request(door, '/api/chat/message', { ...sending.body, stream: false });
  const body = await json(response);
  if (response.ok) {
    sending.onAck({ chatId: body.chat.id, userMessageId: body.userMessage.id, messageId: body.message.id });
    sending.onMessage(body.message);
    if (!sending.isOver) await follow(door, sending, body.message.id);
    return;
  }
  if (typeof body.messageId !== 'string') throw toError(body);
  sending.onAck(body);
  const stored = await request(door, `/api/chat/messages/${String(body.messageId)}`);
  const message = await json(stored);
  if (!stored.ok) throw toError(message);
  sending.onMessage(message);
  if (!sending.isOver) throw new Refusal(`an error answer for a reply that is ${String(message.status)}`);
};
