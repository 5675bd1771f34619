import { setTimeout as delay } from 'node:timers/promises';
import type { AttemptTools } from './attempt.ts';
import { createCandidates } from './candidates.ts';
import { createChoice, readWanted } from './choice.ts';
import { createModelPool, type ModelPoolOptions, type RotatedModel } from './modelPool.ts';
import { providerError } from './providerErrors.ts';
import type { LlmRouter, ModelState, RoutedPart, RoutedRequest } from './router.types.ts';
import { createRoute } from './routing.ts';
import { ROUTER_SETTINGS, type RouterSettings } from './settings.ts';
import type { RouteTools } from './turns.ts';

export interface RouterOptions extends Omit<AttemptTools, 'metrics'> {
  readonly metrics: AttemptTools['metrics'] & ModelPoolOptions['metrics'];
  /** At least one. */
  readonly models: readonly RotatedModel[];
  readonly affinity: 'message' | 'chat';
  readonly temperature: number;
  /** The longest answer, in tokens. */
  readonly maxTokens: number;
  /** Whether another model continues an answer that broke off, unless the request says. */
  readonly continues?: boolean;
  readonly isSimulated: boolean;
  /** What differs from the usual settings. */
  readonly settings?: Partial<RouterSettings>;
  /** From 0 to 1; `Math.random` unless told. */
  readonly random?: () => number;
  /** Waits so many milliseconds of the clock. @throws the signal's reason after an abort */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

const RESTART: RoutedPart = { type: 'restart' };

const sleepForReal = async (ms: number, signal: AbortSignal): Promise<void> => {
  await delay(Math.ceil(ms), undefined, { signal }).catch(() => undefined);
  signal.throwIfAborted();
};

/**
 * Spreads requests over the models in rotation, and hides the failure of one from the client while nothing of its answer
 * was shown; of an answer that is shown in one piece, until its end. What is known of the models is modelPool.ts's, which one is asked choice.ts's, what happens after a failure
 * routing.ts's; here their parts become one stream. Why it is so: docs/decisions/2026-11-21-router.md.
 */
export const createRouter = (options: RouterOptions): LlmRouter => {
  const { models, affinity, clock, metrics, continues = false, sleep = sleepForReal } = options;
  const logger = options.logger.child('llm');
  const settings: RouterSettings = { ...ROUTER_SETTINGS, ...options.settings };
  const slugs = models.map(({ slug }) => slug);
  const pool = createModelPool({ models, clock, metrics, settings, random: options.random ?? Math.random });
  const choice = createChoice({ pool, affinity });
  const tools: RouteTools = { ...options, continues, logger, pool, settings, sleep };

  const stream = async function* (request: RoutedRequest, signal: AbortSignal): AsyncGenerator<RoutedPart> {
    signal.throwIfAborted();
    const wanted = readWanted(request.model, slugs);
    if (wanted === null) throw providerError('not_found');
    const candidates = createCandidates({ pool, choice, settings, clock, wanted, chatId: request.chatId });
    const route = createRoute(tools, { request, signal, wanted, candidates });
    let isLeft = true;
    try {
      let turn = await route.first();
      for (;;) {
        try {
          if (turn.announcement) yield turn.announcement;
          const opened = await route.open(turn);
          turn = opened.turn;
          yield* opened.head;
          // The way of every token: one loop, and no generator in it but the endpoint's own.
          const pass = route.reader(turn);
          for await (const part of opened.rest) for (const passed of pass(part)) yield passed;
          isLeft = false;
          return;
        } catch (error) {
          turn = await route.after(turn, error);
          if (request.isWhole === true) yield RESTART;
        }
      }
    } finally {
      route.end(isLeft);
    }
  };

  const states = (): readonly ModelState[] => {
    const now = clock.now();
    const keyUntil = pool.cooldowns.keyUntil();
    const ready = keyUntil > now ? [] : pool.models.filter((model) => pool.isReady(model));
    const next = choice.next(ready);
    const shares = choice.shares(ready);
    return pool.models.map((model) => {
      const { slug, weight, health, counts, offered } = model;
      const until = Math.max(pool.returnsAt(model), keyUntil);
      return {
        id: slug,
        weight,
        ...counts,
        next: slug === next,
        state: pool.stateOf(model),
        cooldownUntil: until > now ? new Date(until) : null,
        firstTokenMs: health.medianFirstTokenMs(),
        successRate: health.successRate(),
        share: shares.get(slug) ?? 0,
        offered: offered ?? null,
      };
    });
  };

  return {
    stream,
    hasModel: (model) => readWanted(model, slugs) !== null,
    models: states,
    isSimulated: options.isSimulated,
  };
};
