import { createHedge, type Hedge } from './hedge.ts';
import type { PooledModel } from './modelPool.ts';
import type { ProviderError } from './provider.ts';
import { providerError } from './providerErrors.ts';
import type { Turn } from './turn.ts';
import type { RouteAsked, RouteTools, Turns } from './turns.ts';

/** For a model to return, and then for whoever finds out whether it is well. */
const MAX_RETURN_WAITS = 2;

export const unavailable = (waitMs: number): ProviderError =>
  providerError('unavailable', { retryAfterMs: Math.ceil(waitMs), cause: new Error('no model may be asked') });

/**
 * Waits for the free pool where a model lacks nothing else, as long as anybody waits for a place at a model, all waits of a
 * request together.
 * @returns whether a token is held for whoever is chosen next; at once false when it would come too late
 */
export const createTokenWait = (tools: Pick<RouteTools, 'settings' | 'sleep'>, asked: RouteAsked) => {
  const { candidates, signal } = asked;
  let leftMs = tools.settings.concurrency.maxWaitMs;
  return async (): Promise<boolean> => {
    const model = candidates.lackingToken();
    if (!model) return false;
    const waitMs = candidates.waitMsOf(model);
    if (waitMs > leftMs) return false;
    leftMs -= waitMs;
    candidates.hold(model);
    await tools.sleep(waitMs, signal);
    return true;
  };
};

interface FirstTurn {
  readonly turn: Turn;
  readonly hedge: Hedge | null;
}

interface FirstTurnParts {
  readonly takeTurn: Turns['take'];
  readonly waitForToken: ReturnType<typeof createTokenWait>;
}

/**
 * How the first turn of a request comes about, and the probe beside it.
 * @throws ProviderError `unavailable` with `retryAfterMs` when there is no model to be had in time
 */
export const createFirstTurn = (tools: RouteTools, asked: RouteAsked, parts: FirstTurnParts) => {
  const { settings, pool } = tools;
  const { candidates, wanted, signal } = asked;
  const { takeTurn, waitForToken } = parts;

  /** None is ready: the earliest to return, if that is soon. */
  const returningTurn = async (isKeyProbe: boolean, waits: number): Promise<Turn | null> => {
    const model = candidates.earliest();
    if (!model) throw providerError('not_found');
    const waitMs = candidates.waitMsOf(model);
    if (waitMs <= 0) {
      // It has come back only just now.
      if (pool.isWell(model)) return null;
      candidates.use(model);
      model.breaker.beginProbe();
      return takeTurn(model, 'probe', { isProbe: true, isKeyProbe });
    }
    if (waits >= MAX_RETURN_WAITS || waitMs > settings.maxReturnWaitMs) throw unavailable(waitMs);
    await tools.sleep(waitMs, signal);
    return null;
  };

  const readyTurn = (model: PooledModel, isKeyProbe: boolean): FirstTurn => {
    const chosenBy = wanted.by === 'rotation' ? tools.affinity : wanted.by;
    const probed = candidates.takeProbe();
    if (!probed) return { turn: takeTurn(model, chosenBy, { isKeyProbe }), hedge: null };
    const listenMs = probed.breaker.beginProbe();
    const turn = takeTurn(model, chosenBy, { isKeyProbe, isRaced: true });
    const probe = takeTurn(probed, 'probe', { isProbe: true, isRaced: true, firstTokenMs: listenMs });
    return { turn, hedge: createHedge(probe) };
  };

  return async (isKeyProbe: boolean): Promise<FirstTurn> => {
    for (let waits = 0; ; waits += 1) {
      const model = candidates.take();
      if (model) return readyTurn(model, isKeyProbe);
      const picked = candidates.takePicked();
      if (picked)
        return { turn: takeTurn(picked.model, 'picked', { isKeyProbe, isProbe: picked.isProbe }), hedge: null };
      if (await waitForToken()) continue;
      const turn = await returningTurn(isKeyProbe, waits);
      if (turn) return { turn, hedge: null };
    }
  };
};
