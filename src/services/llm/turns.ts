import type { Candidates } from './candidates.ts';
import type { Wanted } from './choice.ts';
import type { PooledModel } from './modelPool.ts';
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

type TurnOptions = Partial<Omit<TurnPlan, 'timeouts' | 'token'>> & { readonly firstTokenMs?: number };

/** The turns of one request: how many there were, and what each was given. */
export interface Turns {
  taken(): number;
  /** Whether its time is over: what begins an answer anew has no more of it than the answer itself. */
  isOver(): boolean;
  /** Of a model that was just chosen from the candidates. */
  readonly take: (model: PooledModel, chosenBy: string, options: TurnOptions) => Turn;
}

export const createTurns = (tools: RouteTools, asked: RouteAsked): Turns => {
  const { settings, clock } = tools;
  const startedAt = clock.now();
  let taken = 0;

  const elapsedMs = (): number => clock.now() - startedAt;
  const leftMs = (): number => settings.totalMs - elapsedMs();

  /** The last candidate may take all that is left of the request's time to its first token. */
  const firstTokenMsOf = (model: PooledModel): number => {
    const own = model.health.firstTokenTimeoutMs();
    if (taken < settings.maxAttempts && asked.candidates.ready().length > 0) return own;
    return Math.max(own, settings.firstTokenBudget * settings.firstTokenMs - elapsedMs());
  };

  return {
    taken: () => taken,
    isOver: () => asked.request.isWhole === true && leftMs() < settings.minAttemptMs,
    take: (model, chosenBy, { firstTokenMs, ...plan }) => {
      taken += 1;
      const usual = { isProbe: false, isKeyProbe: false, isRaced: false, partial: null };
      const timeouts = {
        firstTokenMs: firstTokenMs ?? firstTokenMsOf(model),
        ...(asked.request.isWhole === true ? { totalMs: leftMs() } : {}),
      };
      const token = asked.candidates.claim(model);
      return createTurn(tools, asked, { ...usual, ...plan, model, token, number: taken, chosenBy, timeouts });
    },
  };
};
