import type { Socket } from 'socket.io';
import type { z } from 'zod';
import type { Clock } from '../lib/clock.ts';
import { errorSpec } from '../lib/errorCodes.ts';
import { AppError } from '../lib/errors.ts';
import { newId } from '../lib/ids.ts';
import type { Logger } from '../lib/logger.ts';
import type { Metrics } from '../lib/metrics.ts';
import { requestContext } from '../lib/requestContext.ts';
import { parseInput, toProblem } from '../schemas/problem.ts';
import { clientEvents, type Ack, type ClientEventName, type ServerEvents } from '../schemas/socketEvents.ts';
import type { Actor } from '../services/auth/actor.ts';

type NoEvents = Record<never, never>;

/** What is known of a connected socket. */
export interface SocketData {
  actor: Actor;
  /** Whether the client was told that its token ends soon. */
  isExpiryTold: boolean;
  /** Aborted when the socket is gone. */
  readonly gone: AbortSignal;
}

export type ChatSocket = Socket<NoEvents, ServerEvents, NoEvents, SocketData>;

/** What a handler may use besides its input. */
export interface EventContext {
  readonly socket: ChatSocket;
  /** Runs something right after the ack, before anything else can be emitted. */
  readonly afterAck: (work: () => void) => void;
}

/** Answers one event: what it returns goes into the ack, what it throws becomes the ack's problem. */
export type EventHandler = (actor: Actor, payload: unknown, context: EventContext) => Promise<object>;

export type EventHandlers = Readonly<Record<ClientEventName, EventHandler>>;

/** A handler that gets its payload checked. */
export const handle =
  <T>(schema: z.ZodType<T>, fn: (actor: Actor, input: T, context: EventContext) => Promise<object>): EventHandler =>
  (actor, payload, context) =>
    fn(actor, parseInput(schema, payload ?? {}), context);

export interface GuardOptions {
  readonly handlers: EventHandlers;
  /** Counts an event against the actor's limit. @throws AppError `RATE_LIMITED` */
  readonly checkLimit: (actor: Actor, event: ClientEventName) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

const isAck = (value: unknown): value is Ack => typeof value === 'function';
const isKnown = (event: string): event is ClientEventName => Object.hasOwn(clientEvents, event);
const silent: Ack = () => undefined;

/**
 * The one gate for everything that a client emits: any event name, any payload, with or without an ack. Nothing that a
 * client sends gets past it as an exception, and every ack is called exactly once.
 */
export const createGuard = ({ handlers, checkLimit, clock, logger, metrics }: GuardOptions) => {
  const log = logger.child('sockets');

  const answer = async (event: string, payload: unknown, context: EventContext): Promise<object> => {
    if (!isKnown(event)) throw new AppError('NOT_FOUND', { detail: 'There is no such event' });
    const { actor } = context.socket.data;
    if (event !== 'auth:refresh' && actor.expiresAt && actor.expiresAt.getTime() <= clock.now()) {
      throw new AppError('TOKEN_EXPIRED');
    }
    await checkLimit(actor, event);
    return handlers[event](actor, payload, context);
  };

  const fail = (error: unknown, requestId: string, ack: Ack): number => {
    const problem = toProblem(error, requestId);
    const { logLevel } = errorSpec(problem.code);
    if (logLevel !== 'info') log[logLevel]('event failed', { requestId, code: problem.code, err: error });
    ack({ ok: false, error: problem });
    return problem.status;
  };

  const run = async (socket: ChatSocket, event: string, args: readonly unknown[]): Promise<void> => {
    const last = args.at(-1);
    const ack = isAck(last) ? last : silent;
    const payload = isAck(args[0]) ? undefined : args[0];
    const requestId = newId();
    const { userId } = socket.data.actor;
    const startedAt = performance.now();
    const after: (() => void)[] = [];
    const context = { socket, afterAck: (work: () => void) => void after.push(work) };
    let status = 200;
    try {
      const result = await requestContext.run({ requestId, userId }, () => answer(event, payload, context));
      ack({ ok: true, ...result });
      for (const work of after) work();
    } catch (error) {
      status = fail(error, requestId, ack);
    }
    const name = isKnown(event) ? event : 'unknown';
    const durationMs = Math.round(performance.now() - startedAt);
    metrics.request({ method: 'SOCKET', route: name, status, durationMs });
    log.info('answered', { requestId, event: name, status, userId, durationMs });
  };

  return (socket: ChatSocket): void => {
    socket.onAny((event: string, ...args: unknown[]) => {
      void run(socket, event, args);
    });
  };
};
