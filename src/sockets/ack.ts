import type { z } from 'zod';
import type { Clock } from '../lib/clock.ts';
import { errorSpec } from '../lib/errorCodes.ts';
import { AppError } from '../lib/errors.ts';
import { newId } from '../lib/ids.ts';
import type { Logger } from '../lib/logger.ts';
import type { Metrics } from '../lib/metrics.ts';
import { requestContext } from '../lib/requestContext.ts';
import { parseInput, toProblem } from '../schemas/problem.ts';
import type { Ack, ClientEventName } from '../schemas/socketEvents.ts';
import { checkAccess, isAccess, type Access } from '../services/auth/access.ts';
import type { Actor } from '../services/auth/actor.ts';
import type { LiveClient } from './liveClient.ts';

/**
 * Does something as soon as nothing waits for the client behind what is on its way to it: whoever sends a lot that can
 * wait sends it so, a piece at a time. Rejects when the client is gone.
 */
export type WhenDrained = (work: () => void) => Promise<void>;

/** What a handler may use besides its input. */
export interface EventContext {
  readonly socket: LiveClient;
  /** Runs something right after the ack, before anything else can be emitted. */
  readonly afterAck: (work: () => void) => void;
  readonly whenDrained: WhenDrained;
}

/** Answers one event: what `run` returns goes into the ack, what it throws becomes the ack's problem. */
export interface EventHandler {
  /** Who may ask; everybody at a live door is somebody. */
  readonly access: EventAccess;
  readonly run: (actor: Actor, payload: unknown, context: EventContext) => Promise<object>;
}

export type EventAccess = Extract<Access, 'login' | 'read' | 'chat'>;

export type EventHandlers = Readonly<Record<ClientEventName, EventHandler>>;

/** A handler for those that the policy allows, which gets its payload checked. */
export const handle = <T>(
  access: EventAccess,
  schema: z.ZodType<T>,
  fn: (actor: Actor, input: T, context: EventContext) => Promise<object>,
): EventHandler => ({
  access,
  run: (actor, payload, context) => fn(actor, parseInput(schema, payload ?? {}), context),
});

/** @throws Error naming an event that declares no policy */
const assertPolicies = (handlers: DoorEvents['handlers']): void => {
  const open = Object.keys(handlers).find((event) => !isAccess(handlers[event]?.access));
  if (open !== undefined) throw new Error(`the event ${open} declares no policy`);
};

/** What clients may ask at a door, by name, and what is special about some of it. */
export interface DoorEvents {
  readonly handlers: Readonly<Record<string, EventHandler>>;
  /** Goes on with another token: answered although the one before has ended. */
  readonly refresh: string;
  /** Shows that the client lives, and is neither counted nor logged. */
  readonly ping: string | null;
  /** Counts an event against the actor's limit. @throws AppError `RATE_LIMITED` */
  readonly checkLimit: (actor: Actor, event: string) => Promise<void>;
}

export interface GuardOptions extends DoorEvents {
  /** Names the door in metrics. */
  readonly method: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** One thing that a client asks. */
export interface Asked {
  readonly socket: LiveClient;
  readonly event: string;
  /** The payload, whatever it is. @throws AppError when it cannot be read */
  readonly read: () => unknown;
  readonly ack: Ack;
  readonly whenDrained: WhenDrained;
}

export type Guard = (asked: Asked) => Promise<void>;

/**
 * The one gate for everything that a client sends at a live door: any event name, any payload, with or without an ack.
 * Nothing that a client sends gets past it as an exception, and every ack is called exactly once.
 */
export const createGuard = (options: GuardOptions): Guard => {
  const { handlers, refresh, ping, checkLimit, method, clock, logger, metrics } = options;
  assertPolicies(handlers);
  const log = logger.child('sockets');
  const handlerOf = (event: string): EventHandler | undefined =>
    Object.hasOwn(handlers, event) ? handlers[event] : undefined;

  const answer = async ({ event, read }: Asked, context: EventContext): Promise<object> => {
    const handler = handlerOf(event);
    const { actor } = context.socket.data;
    // Also what nobody knows or can read costs something, and is counted.
    if (!handler) await checkLimit(actor, event);
    const payload = read();
    if (!handler) throw new AppError('NOT_FOUND', { detail: 'There is no such event' });
    if (event !== refresh && actor.expiresAt && actor.expiresAt.getTime() <= clock.now()) {
      throw new AppError('TOKEN_EXPIRED');
    }
    if (event !== ping) await checkLimit(actor, event);
    checkAccess(actor, handler.access);
    return handler.run(actor, payload, context);
  };

  const fail = (error: unknown, requestId: string, ack: Ack): number => {
    const problem = toProblem(error, requestId);
    const { logLevel } = errorSpec(problem.code);
    if (logLevel !== 'info') log[logLevel]('event failed', { requestId, code: problem.code, err: error });
    ack({ ok: false, error: problem });
    return problem.status;
  };

  return async (asked) => {
    const { socket, event, ack, whenDrained } = asked;
    const requestId = newId();
    const { userId } = socket.data.actor;
    const startedAt = performance.now();
    const after: (() => void)[] = [];
    const context = { socket, whenDrained, afterAck: (work: () => void) => void after.push(work) };
    let status = 200;
    try {
      const result = await requestContext.run({ requestId, userId }, () => answer(asked, context));
      ack({ ok: true, ...result });
      for (const work of after) work();
    } catch (error) {
      status = fail(error, requestId, ack);
    }
    if (event === ping && status === 200) return;
    const name = handlerOf(event) ? event : 'unknown';
    const durationMs = Math.round(performance.now() - startedAt);
    metrics.request({ method, route: name, status, durationMs });
    log.info('answered', { requestId, event: name, status, userId, durationMs });
  };
};
