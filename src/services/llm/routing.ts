import type { Candidates } from './candidates.ts';
import type { Wanted } from './choice.ts';
import { mayAskAgain, remedyFor } from './failover.ts';
import { createHedge, type Hedge, type Opened } from './hedge.ts';
import type { PooledModel } from './modelPool.ts';
import type { LlmPart, ProviderError } from './provider.ts';
import { providerError } from './providerErrors.ts';
import type { RoutedPart } from './router.types.ts';
import type { RouterSettings } from './settings.ts';
import { createTurn, type Turn, type TurnAsked, type TurnPlan, type TurnTools } from './turn.ts';

export interface RouteTools extends TurnTools {
  readonly settings: RouterSettings;
  /** Whether another model continues an answer that broke off, unless the request says. */
  readonly continues: boolean;
  /** @throws the signal's reason after an abort */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** What a route is made for. */
export interface RouteAsked extends TurnAsked {
  readonly wanted: Wanted;
  readonly candidates: Candidates;
}

/** One request on its way from model to model. */
export interface Route {
  /** The first turn. @throws ProviderError `unavailable` with `retryAfterMs` when there is no model to be had in time */
  first(): Promise<Turn>;
  /** Asks the turn's model; what comes back may be the turn of another that was asked beside it. */
  open(turn: Turn): Promise<Opened>;
  /** How to read what the turn answers: what each part lets out. */
  reader(turn: Turn): (part: LlmPart) => readonly RoutedPart[];
  /** The turn to take after one that failed. @throws what there is to tell when there is none */
  after(turn: Turn, error: unknown): Promise<Turn>;
  /** @param isLeft whether it ended before the end of its answer */
  end(isLeft: boolean): void;
}

/** For a model to return, and then for whoever finds out whether it is well. */
const MAX_RETURN_WAITS = 2;

const unavailable = (waitMs: number): ProviderError =>
  providerError('unavailable', { retryAfterMs: Math.ceil(waitMs), cause: new Error('no model may be asked') });

/** The turns of one request: how many there were, and what each was given. */
const createTurns = (tools: RouteTools, asked: RouteAsked) => {
  const { settings, clock } = tools;
  const startedAt = clock.now();
  let taken = 0;

  /** The last candidate may take all that is left of the request's time to its first token. */
  const firstTokenMsOf = (model: PooledModel): number => {
    const own = model.health.firstTokenTimeoutMs;
    if (taken < settings.maxAttempts && asked.candidates.ready().length > 0) return own;
    return Math.max(own, settings.firstTokenBudget * settings.firstTokenMs - (clock.now() - startedAt));
  };

  return {
    get taken() {
      return taken;
    },
    take: (model: PooledModel, chosenBy: string, plan: Partial<TurnPlan>): Turn => {
      taken += 1;
      const usual = { isProbe: false, isKeyProbe: false, isRaced: false, partial: null };
      const firstTokenMs = plan.firstTokenMs ?? firstTokenMsOf(model);
      return createTurn(tools, asked, { ...usual, ...plan, model, number: taken, chosenBy, firstTokenMs });
    },
  };
};

/** How the first turn of a request comes about, and the probe beside it. */
const createStart = (tools: RouteTools, asked: RouteAsked, takeTurn: ReturnType<typeof createTurns>['take']) => {
  const { settings } = tools;
  const { candidates, wanted, signal } = asked;

  /** None is ready: the earliest to return, if that is soon. */
  const returningTurn = async (isKeyProbe: boolean, waits: number): Promise<Turn | null> => {
    const earliest = candidates.earliest();
    if (!earliest) throw providerError('not_found');
    const { model, waitMs } = earliest;
    if (waitMs <= 0) {
      candidates.use(model);
      model.breaker.beginProbe();
      return takeTurn(model, 'probe', { isProbe: true, isKeyProbe });
    }
    if (waits >= MAX_RETURN_WAITS || waitMs > settings.maxReturnWaitMs) throw unavailable(waitMs);
    await tools.sleep(waitMs, signal);
    return null;
  };

  const readyTurn = (
    model: PooledModel,
    isKeyProbe: boolean,
  ): { readonly turn: Turn; readonly hedge: Hedge | null } => {
    const chosenBy = wanted.by === 'rotation' ? tools.affinity : wanted.by;
    const probed = candidates.takeProbe();
    if (!probed) return { turn: takeTurn(model, chosenBy, { isKeyProbe }), hedge: null };
    const listenMs = probed.breaker.beginProbe();
    const turn = takeTurn(model, chosenBy, { isKeyProbe, isRaced: true });
    const probe = takeTurn(probed, 'probe', { isProbe: true, isRaced: true, firstTokenMs: listenMs });
    return { turn, hedge: createHedge(probe) };
  };

  return async (isKeyProbe: boolean): Promise<{ readonly turn: Turn; readonly hedge: Hedge | null }> => {
    for (let waits = 0; ; waits += 1) {
      const model = candidates.take();
      if (model) return readyTurn(model, isKeyProbe);
      const picked = candidates.takePicked();
      if (picked)
        return { turn: takeTurn(picked.model, 'picked', { isKeyProbe, isProbe: picked.isProbe }), hedge: null };
      const turn = await returningTurn(isKeyProbe, waits);
      if (turn) return { turn, hedge: null };
    }
  };
};

export const createRoute = (tools: RouteTools, asked: RouteAsked): Route => {
  const { pool, settings, clock } = tools;
  const { candidates, request, signal } = asked;
  const continues = request.continues ?? tools.continues;
  const turns = createTurns(tools, asked);
  const start = createStart(tools, asked, turns.take);
  let isKeyProbe = false;
  let continuations = 0;
  let hasGrown = false;
  let hedge: Hedge | null = null;
  let current: Turn | null = null;
  let firstFailure: ProviderError | null = null;
  /** What ended the text that clients have. */
  let brokeOff: ProviderError | null = null;
  let shown = '';

  const turnOf = (model: PooledModel | null, { kind }: ProviderError, partial: string | null = null): Turn | null =>
    model && turns.take(model, kind, { isKeyProbe, partial, isRaced: hedge?.isPending ?? false });

  const pendingProbe = (): Turn | null => (hedge?.isPending ? hedge.probe : null);

  const continuing = (turn: Turn, failure: ProviderError): Turn | null => {
    const isOpen = turn.hasShown && !turn.attempt.canBeContinued;
    if (!continues || isOpen || shown.trim() === '' || continuations >= settings.maxContinuations) return null;
    continuations += 1;
    return turnOf(candidates.take(), failure, shown);
  };

  /** Where there is no other model at all, the same one once more. */
  const again = async ({ model }: Turn, failure: ProviderError): Promise<Turn | null> => {
    if (turns.taken > 1 || !mayAskAgain(failure) || model.breaker.state !== 'closed') return null;
    const waitMs = Math.max(0, pool.returnsAt(model) - clock.now());
    if (waitMs > settings.maxSameModelWaitMs) return null;
    if (waitMs > 0) await tools.sleep(waitMs, signal);
    return turnOf(model, failure);
  };

  const another = async (turn: Turn, failure: ProviderError): Promise<Turn | null> => {
    if (hedge?.hasAnswered) return hedge.probe;
    return turnOf(candidates.take(), failure) ?? pendingProbe() ?? (await again(turn, failure));
  };

  const larger = (turn: Turn, failure: ProviderError): Turn | null => {
    if (hasGrown) return null;
    hasGrown = true;
    return turnOf(candidates.takeLarger(turn.model), failure);
  };

  const next = async (turn: Turn, error: ProviderError): Promise<Turn | null> => {
    const hasShown = turn.hasShown || brokeOff !== null;
    const remedy = remedyFor({ error, number: turns.taken, maxAttempts: settings.maxAttempts, hasShown });
    switch (remedy) {
      case 'another':
        return another(turn, error);
      case 'continue':
        return continuing(turn, error);
      case 'larger':
        return larger(turn, error);
      case 'wait':
        return pendingProbe();
      case 'give-up':
        return null;
    }
  };

  const collect = (parts: readonly RoutedPart[]): readonly RoutedPart[] => {
    for (const part of parts) if (part.type === 'delta') shown += part.text;
    return parts;
  };

  return {
    first: async () => {
      const key = pool.cooldowns.admit();
      if (key.waitMs > 0) throw unavailable(key.waitMs);
      ({ isKeyProbe } = key);
      const first = await start(isKeyProbe);
      ({ hedge } = first);
      return (current = first.turn);
    },
    open: async (turn) => {
      if (hedge === null || !(hedge.isPending || turn === hedge.probe)) {
        return { turn, head: [], rest: await turn.ask() };
      }
      const opened = await (turn === hedge.probe ? hedge.wait() : hedge.race(turn));
      current = opened.turn;
      collect(opened.head);
      return opened;
    },
    // Only what may have to be continued is kept.
    reader: (turn) => (continues ? (part) => collect(turn.pass(part)) : turn.pass),
    after: async (turn, error) => {
      const failure = turn.endedBy(error);
      signal.throwIfAborted();
      if (failure === null) throw brokeOff ?? error;
      if (turn.hasShown) brokeOff = failure;
      firstFailure ??= failure;
      const following = await next(turn, failure);
      turn.attempt.log(failure, following?.model.slug ?? null);
      // What went wrong first is what there is to tell; an answer that broke off tells its own.
      if (following === null) throw brokeOff ?? firstFailure;
      return (current = following);
    },
    end: (isLeft) => {
      current?.close();
      hedge?.end(isLeft);
      if (isKeyProbe) pool.cooldowns.keyProbeEnded();
    },
  };
};
