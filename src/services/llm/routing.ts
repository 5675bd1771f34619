import { mayAskAgain, remedyFor } from './failover.ts';
import { createFirstTurn, createTokenWait, unavailable } from './firstTurn.ts';
import type { Hedge, Opened } from './hedge.ts';
import type { PooledModel } from './modelPool.ts';
import { ProviderError, type LlmPart, type ProviderErrorKind } from './provider.ts';
import type { RoutedPart } from './router.types.ts';
import type { Turn } from './turn.ts';
import { createTurns, type RouteAsked, type RouteTools } from './turns.ts';

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

/** Failures that end a request with a 503, which tells when to come back (RFC 9110 §15.6.4). */
const IS_UNAVAILABLE: ReadonlySet<ProviderErrorKind> = new Set(['account', 'rate_limited', 'not_found', 'unavailable']);
/** Where nothing is known but that it failed just now. */
const MIN_RETURN_MS = 1_000;

export const createRoute = (tools: RouteTools, asked: RouteAsked): Route => {
  const { pool, settings } = tools;
  const { candidates, request, signal } = asked;
  const isWhole = request.isWhole === true;
  const continues = !isWhole && (request.continues ?? tools.continues);
  const turns = createTurns(tools, asked);
  const waitForToken = createTokenWait(tools, asked);
  const firstTurn = createFirstTurn(tools, asked, { takeTurn: turns.take, waitForToken });
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
    model && turns.take(model, kind, { isKeyProbe, partial, isRaced: hedge?.isPending() ?? false });

  const pendingProbe = (): Turn | null => (hedge?.isPending() ? hedge.probe : null);

  const continuing = (turn: Turn, failure: ProviderError): Turn | null => {
    const isOpen = turn.hasShown() && !turn.attempt.canBeContinued();
    if (!continues || isOpen || shown.trim() === '' || continuations >= settings.maxContinuations) return null;
    continuations += 1;
    return turnOf(candidates.take(), failure, shown);
  };

  /** Where there is no other model at all, the same one once more. */
  const again = async ({ model }: Turn, failure: ProviderError): Promise<Turn | null> => {
    if (turns.taken() > 1 || !mayAskAgain(failure) || model.breaker.state() !== 'closed') return null;
    const waitMs = candidates.waitMsOf(model);
    if (waitMs > settings.maxSameModelWaitMs) return null;
    candidates.hold(model);
    if (waitMs > 0) await tools.sleep(waitMs, signal);
    candidates.use(model);
    return turnOf(model, failure);
  };

  const another = async (turn: Turn, failure: ProviderError): Promise<Turn | null> => {
    if (hedge?.hasAnswered()) return hedge.probe;
    const following = turnOf(candidates.take(), failure) ?? pendingProbe();
    if (following !== null) return following;
    if (await waitForToken()) return turnOf(candidates.take(), failure);
    return again(turn, failure);
  };

  const larger = (turn: Turn, failure: ProviderError): Turn | null => {
    if (hasGrown) return null;
    hasGrown = true;
    return turnOf(candidates.takeLarger(turn.model), failure);
  };

  const next = async (turn: Turn, error: ProviderError): Promise<Turn | null> => {
    if (turns.isOver()) return null;
    const hasShown = brokeOff !== null;
    const remedy = remedyFor({ error, number: turns.taken(), maxAttempts: settings.maxAttempts, hasShown });
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

  /** With the time to come back as it is known here, unless the endpoint told one. */
  const withReturn = (failure: ProviderError): ProviderError => {
    const { kind, message, scope, cause, retryAfterMs } = failure;
    if (retryAfterMs !== null || !IS_UNAVAILABLE.has(kind)) return failure;
    const keyWaitMs = pool.cooldowns.keyUntil() - tools.clock.now();
    const earliest = candidates.earliest();
    const waitMs = Math.max(keyWaitMs, earliest ? candidates.waitMsOf(earliest) : 0, MIN_RETURN_MS);
    return new ProviderError(kind, message, { scope, cause, retryAfterMs: Math.ceil(waitMs) });
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
      const first = await firstTurn(isKeyProbe);
      ({ hedge } = first);
      return (current = first.turn);
    },
    open: async (turn) => {
      if (hedge === null || !(hedge.isPending() || turn === hedge.probe)) {
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
      if (turn.hasShown() && !isWhole) brokeOff = failure;
      firstFailure ??= failure;
      const following = await next(turn, failure);
      turn.attempt.log(failure, following?.model.slug ?? null);
      // What went wrong first is what there is to tell; an answer that broke off tells its own.
      if (following === null) throw withReturn(brokeOff ?? firstFailure);
      return (current = following);
    },
    end: (isLeft) => {
      candidates.release();
      current?.close();
      hedge?.end(isLeft);
      if (isKeyProbe) pool.cooldowns.keyProbeEnded();
    },
  };
};
