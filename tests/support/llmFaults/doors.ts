import { once } from 'node:events';
import type { Socket } from 'socket.io-client';
import { connectRaw, type RawClient } from '../rawSocket.ts';
import { readEvents, textOf, type SseEvent } from '../sse.ts';
import type { TestUser, World } from '../world.ts';
import { askPlain, askStream } from './openAiDoor.ts';
import { HANG_MS, hung, NOTHING, post, refusedBy, stopwatch, type Question, type Seen, type Watch } from './seen.ts';

export type { Question, Seen } from './seen.ts';

export type DoorName = 'v1-stream' | 'v1-plain' | 'json' | 'sse' | 'socket' | 'raw';
export const DOORS: readonly DoorName[] = ['v1-stream', 'v1-plain', 'json', 'sse', 'socket', 'raw'];

export interface DoorClient {
  readonly users: Readonly<Record<DoorName, TestUser>>;
  /** Asks and reads to the end; never rejects. */
  ask(door: DoorName, question: Question): Promise<Seen>;
  /** How many final states a reply has had so far, as the door that it was asked at has told. */
  endsOf(door: DoorName, messageId: string): number;
  close(): void;
}

const askJson = async (user: TestUser, { model, content, extra }: Question): Promise<Seen> => {
  const watch = stopwatch();
  const response = await post(user, '/api/chat/message', { model, content, stream: false, ...extra });
  if (!response.ok) return refusedBy(response, watch);
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  const { message } = (await response.json()) as any;
  watch.first();
  const { content: text, finishReason: finish, model: by, id: messageId } = message;
  const answer = { text, finish, model: by, messageId, tokens: message.usage?.totalTokens ?? null };
  return { ...NOTHING, ...answer, state: message.status, ends: 1, ...watch.times() };
};

const ENDS = new Set(['end', 'failed']);

/** What the events of a reply come to, the same at every native door. */
const toSeen = (events: readonly SseEvent[], watch: Watch): Seen => {
  const ends = events.filter(({ event }) => ENDS.has(event));
  const text = textOf(events);
  const last = ends.at(-1);
  const messageId: string | null = events[0]?.data.messageId ?? null;
  const known = { ...NOTHING, text, messageId, ends: ends.length, ...watch.times() };
  if (!last) return { ...known, state: 'cut' };
  if (last.event === 'failed') {
    return { ...known, state: text === '' ? 'refused' : 'failed', code: last.data.error.code };
  }
  const { status, finishReason, model, usage } = last.data;
  return { ...known, state: status, finish: finishReason, model, tokens: usage?.totalTokens ?? null };
};

const askSse = async (user: TestUser, { model, content, extra }: Question): Promise<Seen> => {
  const watch = stopwatch();
  const response = await post(user, '/api/chat/message', { model, content, stream: true, ...extra });
  if (!response.ok) return refusedBy(response, watch);
  const events: SseEvent[] = [];
  for await (const event of readEvents(response)) {
    if (event.event === 'delta') watch.first();
    events.push(event);
  }
  return toSeen(events, watch);
};

interface Reply {
  readonly events: SseEvent[];
  readonly firstAt: number | null;
}

/** Every reply that comes over one connection, by its id; events may come before the ack that names it. */
const createTap = () => {
  const replies = new Map<string, { events: SseEvent[]; firstAt: number | null; onEnd: (() => void) | null }>();
  const replyOf = (messageId: string) => {
    const known = replies.get(messageId) ?? { events: [], firstAt: null, onEnd: null };
    replies.set(messageId, known);
    return known;
  };
  const isOver = (messageId: string): boolean => replyOf(messageId).events.some(({ event }) => ENDS.has(event));

  return {
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    take: (event: string, data: any): void => {
      if (typeof data?.messageId !== 'string' || !/^(start|delta|switch|reset|end|failed)$/.test(event)) return;
      const reply = replyOf(data.messageId);
      if (event === 'delta') reply.firstAt ??= performance.now();
      reply.events.push({ event, id: undefined, data });
      if (ENDS.has(event)) reply.onEnd?.();
    },
    over: async (messageId: string): Promise<Reply | null> => {
      const late = AbortSignal.timeout(HANG_MS);
      if (!isOver(messageId)) {
        await new Promise<void>((resolve) => {
          replyOf(messageId).onEnd = resolve;
          late.addEventListener('abort', () => resolve());
        });
      }
      return isOver(messageId) ? replyOf(messageId) : null;
    },
    endsOf: (messageId: string): number => replyOf(messageId).events.filter(({ event }) => ENDS.has(event)).length,
  };
};
type Tap = ReturnType<typeof createTap>;

/** Asks over a connection that is there already; `send` resolves with the ack. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
const askOver = async (tap: Tap, send: () => Promise<any>): Promise<Seen> => {
  const watch = stopwatch();
  const startedAt = performance.now();
  const ack = await send();
  if (!ack.ok) return { ...NOTHING, state: 'refused', code: ack.error.code, ends: 1, ...watch.times() };
  const reply = await tap.over(ack.messageId);
  if (reply === null) return { ...hung(watch), messageId: ack.messageId };
  const firstMs = reply.firstAt === null ? null : reply.firstAt - startedAt;
  return { ...toSeen(reply.events, watch), messageId: ack.messageId, firstMs };
};

/** Rejects when the connection is lost: nothing more comes over it. */
const lost = (connection: { once(event: never, listener: (reason: unknown) => void): unknown }, event: string) =>
  new Promise<never>((_resolve, reject) => {
    connection.once(event as never, (reason) => reject(new Error(`connection lost: ${String(reason)}`)));
  });

/** Asks over a Socket.IO connection. */
const openSocket = async (user: TestUser, tap: Tap) => {
  const socket: Socket = await user.connect();
  socket.onAny((name: string, payload: unknown) => tap.take(name.replace(/^chat:/, ''), payload));
  const isLost = lost(socket, 'disconnect');
  isLost.catch(() => undefined);
  return ({ model, content, extra }: Question): Promise<Seen> =>
    Promise.race([isLost, askOver(tap, () => socket.emitWithAck('chat:send', { model, content, ...extra }))]);
};

/** Asks over a raw WebSocket. */
const openRaw = async (user: TestUser, tap: Tap) => {
  const raw: RawClient = await connectRaw(user.url, { token: user.accessToken });
  raw.ws.on('message', (data: Buffer) => {
    const frame = JSON.parse(data.toString());
    tap.take(frame.type, frame);
  });
  const isLost = lost(raw.ws, 'close');
  isLost.catch(() => undefined);
  const ask = ({ model, content, extra }: Question): Promise<Seen> =>
    Promise.race([isLost, askOver(tap, () => raw.ask({ type: 'message', model, content, ...extra }))]);
  return { ask, close: () => raw.close() };
};

/** A user for each door, so that nobody's connection carries what others are told. */
export const openDoors = async (world: Pick<World, 'signUp'>): Promise<DoorClient> => {
  const signedUp = await Promise.all(DOORS.map(async (door) => [door, await world.signUp()] as const));
  const users = Object.fromEntries(signedUp) as Record<DoorName, TestUser>;
  const taps = { socket: createTap(), raw: createTap() };
  const raw = await openRaw(users.raw, taps.raw);
  const asks: Readonly<Record<DoorName, (question: Question) => Promise<Seen>>> = {
    'v1-stream': (question) => askStream(users['v1-stream'], question),
    'v1-plain': (question) => askPlain(users['v1-plain'], question),
    json: (question) => askJson(users.json, question),
    sse: (question) => askSse(users.sse, question),
    socket: await openSocket(users.socket, taps.socket),
    raw: raw.ask,
  };
  return {
    users,
    ask: async (door, question) => {
      const watch = stopwatch();
      // Some milliseconds after each door's own limit, which knows more.
      const late = once(AbortSignal.timeout(HANG_MS + 1000), 'abort').then(() => hung(watch));
      try {
        return await Promise.race([asks[door](question), late]);
      } catch (error) {
        const isLate = Error.isError(error) && error.name === 'TimeoutError';
        return { ...hung(watch), state: isLate ? 'hung' : 'cut', code: String(error) };
      }
    },
    endsOf: (door, messageId) => (door === 'socket' || door === 'raw' ? taps[door].endsOf(messageId) : 1),
    close: () => raw.close(),
  };
};
