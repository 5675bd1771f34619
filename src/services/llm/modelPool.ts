import type { Clock } from '../../lib/clock.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type { AttemptWatcher } from './attempt.ts';
import { createBreaker, type Breaker } from './breaker.ts';
import { createGate, type Gate } from './concurrency.ts';
import { createCooldowns, type Cooldowns } from './cooldowns.ts';
import { createFreePool, isFree, type FreePool, type FreeToken } from './freePool.ts';
import { createHealth, medianOf, type Health } from './health.ts';
import type { OfferedModel } from './provider.ts';
import type { Candidate } from './rotation.ts';
import type { ModelHealthState } from './router.types.ts';
import type { RouterSettings } from './settings.ts';

/** A model in rotation as the configuration and the endpoint's catalogue have it. */
export interface RotatedModel extends Candidate {
  /** Null or undefined: the endpoint does not tell. */
  readonly offered?: OfferedModel | null;
}

export interface ModelPoolOptions {
  readonly models: readonly RotatedModel[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly settings: RouterSettings;
  readonly metrics: Pick<Metrics, 'llmBreaker' | 'llmQueueWait'>;
}

/** One model with all that is known of it. */
export interface PooledModel extends RotatedModel {
  readonly health: Health;
  readonly breaker: Breaker;
  readonly gate: Gate;
  readonly counts: { requests: number; failures: number };
  /** The calls that were made and have shown no sign of life, with when they began. */
  readonly silent: Set<{ readonly startedAt: number }>;
}

/** What a call finds out besides answering. */
export interface CallRole {
  /** Whether its model is well again. */
  readonly isProbe: boolean;
  /** Whether the key is taken again. */
  readonly isKeyProbe: boolean;
  /** What it was let out with, of a `:free` model; spent when it goes out, given back when it does not. */
  readonly token: FreeToken | null;
}

/** What is known of every model, and what each call teaches. Which one is asked is choice.ts's to say. */
export interface ModelPool {
  readonly models: readonly PooledModel[];
  readonly cooldowns: Cooldowns;
  readonly freePool: FreePool;
  /** Whether a request may ask it as if nothing had ever happened, once it has a token of the free pool where it needs one. */
  isWell(model: PooledModel): boolean;
  /** Whether it may ask it now. */
  isReady(model: PooledModel): boolean;
  /** When a request may ask it alone, if it has a token; in the past for one that is well. */
  wellAt(model: PooledModel): number;
  /** The same, and a token is to be had. */
  returnsAt(model: PooledModel): number;
  /** Whether it has been silent for longer than is usual: nobody else should begin to wait for it. */
  isSuspect(model: PooledModel): boolean;
  /** The weight that counts in the rotation: the configured one times the health. */
  weigh(models: readonly PooledModel[]): readonly Candidate[];
  stateOf(model: PooledModel): ModelHealthState;
  /** Follows one call from its beginning to its end. */
  watch(model: PooledModel, role: CallRole): AttemptWatcher;
}

/** Failures that say something of the model; the others are the request's, the key's or a matter of limits. */
const IS_FAULT: ReadonlySet<string> = new Set(['unavailable', 'network', 'timeout', 'invalid']);
/** Failures that no answer of the endpoint came with. */
const IS_UNHEARD: ReadonlySet<string> = new Set(['network', 'timeout']);
/** Below it a model that is asked as before is called degraded. */
const DEGRADED_BELOW = 0.9;

export const createModelPool = ({ models, clock, random, settings, metrics }: ModelPoolOptions): ModelPool => {
  const cooldowns = createCooldowns(clock, settings.cooldowns);
  const freePool = createFreePool(clock, settings.freePool);
  const pooled = models.map((model): PooledModel => {
    const { slug } = model;
    return {
      ...model,
      health: createHealth(clock, settings),
      breaker: createBreaker({
        clock,
        random,
        settings: settings.breaker,
        firstTokenMs: settings.firstTokenMs,
        onChange: (state) => metrics.llmBreaker(slug, state),
      }),
      gate: createGate(settings.concurrency, (ms) => metrics.llmQueueWait(slug, ms)),
      counts: { requests: 0, failures: 0 },
      silent: new Set(),
    };
  });

  const isCool = ({ slug }: PooledModel): boolean => cooldowns.modelUntil(slug) > clock.now();
  const hasKey = (): boolean => cooldowns.keyUntil() <= clock.now();
  const isWell = (model: PooledModel): boolean => model.breaker.state() === 'closed' && !isCool(model);
  const tokenAt = ({ slug }: PooledModel): number => (isFree(slug) ? freePool.nextAt() : 0);
  const isShort = (model: PooledModel): boolean => tokenAt(model) > clock.now();
  const wellAt = ({ slug, breaker }: PooledModel): number => Math.max(cooldowns.modelUntil(slug), breaker.returnsAt());

  const factorOf = (model: PooledModel): number => {
    const others = pooled.flatMap((other) => (other === model ? [] : (other.health.medianFirstTokenMs() ?? [])));
    return model.health.factor(medianOf(others));
  };

  const learn = (model: PooledModel, isProbe: boolean, call: Parameters<AttemptWatcher['failed']>): void => {
    const [error, { startedAt, wasAlive }] = call;
    cooldowns.learn(model.slug, error);
    if (!IS_FAULT.has(error.kind)) {
      if (isProbe) model.breaker.probeAborted();
      return;
    }
    model.health.failed();
    const failure = { startedAt, wasAlive, isTimeout: error.kind === 'timeout' };
    if (isProbe && !wasAlive) model.breaker.probeFailed(failure);
    else model.breaker.failed(failure);
  };

  const watch = (model: PooledModel, { isProbe, isKeyProbe, token }: CallRole): AttemptWatcher => {
    const { health, breaker, counts, silent } = model;
    const waiting = { startedAt: clock.now() };
    const answered = (): void => {
      silent.delete(waiting);
      if (isKeyProbe) cooldowns.keyTaken();
      if (isProbe) breaker.probeSucceeded();
    };
    return {
      begun: () => {
        token?.spend();
        counts.requests += 1;
        waiting.startedAt = clock.now();
        silent.add(waiting);
      },
      alive: (ms) => {
        answered();
        health.alive(ms);
      },
      visible: (ms) => health.visible(ms),
      succeeded: () => {
        // A filtered answer has no token.
        answered();
        health.succeeded();
        breaker.succeeded();
      },
      failed: (error, call) => {
        silent.delete(waiting);
        counts.failures += 1;
        if (isKeyProbe && !IS_UNHEARD.has(error.kind)) cooldowns.keyTaken();
        learn(model, isProbe, [error, call]);
      },
      cancelled: () => {
        token?.giveBack();
        silent.delete(waiting);
        if (isProbe) breaker.probeAborted();
      },
    };
  };

  return {
    models: pooled,
    cooldowns,
    freePool,
    isWell,
    isReady: (model) => isWell(model) && !isShort(model),
    wellAt,
    returnsAt: (model) => Math.max(wellAt(model), tokenAt(model)),
    isSuspect: ({ silent, health }) => {
      const [longest] = silent;
      return longest !== undefined && clock.now() - longest.startedAt > health.suspectAfterMs();
    },
    weigh: (list) => list.map((model) => ({ slug: model.slug, weight: model.weight * factorOf(model) })),
    stateOf: (model) => {
      const state = model.breaker.state();
      if (state !== 'closed') return state;
      if (isCool(model) || isShort(model) || !hasKey()) return 'cooling';
      return factorOf(model) < DEGRADED_BELOW ? 'degraded' : 'healthy';
    },
    watch,
  };
};
