import type { ServerResponse } from 'node:http';
import { isPooled, type Account } from './account.ts';
import type { AttemptLog } from './attemptLog.ts';
import { billOf, type Ending, type Tally } from './books.ts';
import { createExchange, type Exchange, type Stage } from './exchange.ts';
import type { Ledger } from './ledger.ts';
import type { ModelState, ModelStates } from './modelStates.ts';
import { findMode, modeTextOf, type ChosenMode } from './modes/index.ts';
import { errorBody } from './modes/mode.ts';
import { refuseContext } from './modes/refusals.ts';
import { seededRandom } from './random.ts';
import type { SimulatedRequest } from './request.ts';
import type { Settings } from './settings.ts';
import type { Framing } from './wire.ts';
import { modelledPace, DEFAULT_LATENCY, steadyPace, TIMINGS, type Pace } from './timing.ts';

export interface PlayerParts {
  readonly settings: Settings;
  readonly states: ModelStates;
  readonly ledger: Ledger;
  readonly account: Account;
  readonly attempts: AttemptLog;
  readonly tokenDelayMs: number;
  readonly closePort: (ms: number) => void;
}

export interface Player {
  /** Answers one call; resolves when its mode has said all that it has to say. */
  play(request: SimulatedRequest, res: ServerResponse): Promise<void>;
  /** Resolves when no call runs. */
  idle(): Promise<void>;
}

const MAX_FALLBACK_MODELS = 3;

const isStringList = (value: unknown): value is readonly unknown[] => Array.isArray(value);

/** Refusals that come before any model is asked, in OpenRouter's order: the request, the credit, the free pool. */
const refusalOf = (request: SimulatedRequest, { settings, ledger, account }: PlayerParts): string | null => {
  const { models } = request.fields;
  if (isStringList(models) && models.length > MAX_FALLBACK_MODELS) return '400-models-limit';
  const { creditMicroUsd } = settings.current;
  if (creditMicroUsd !== null && ledger.spentMicroUsd >= creditMicroUsd) return '402';
  return isPooled(request.model, modeTextOf(request.model)) ? account.admitFree() : null;
};

/** Completed: all was sent. A connection that the mode itself broke was not left by the client. */
const endingOf = (tally: Tally, res: ServerResponse, isBroken: boolean): Ending => {
  if (tally.isFailed) return 'failed';
  if (tally.finishReason !== null) return 'completed';
  return isBroken || res.writableFinished ? 'broken' : 'aborted';
};

/** The longest prompt, in tokens, that this call may have. */
const contextOf = ({ settings }: Exchange, { name, argument }: ChosenMode): number => {
  if (name === 'ok-context') return argument.count(settings.contextLength);
  return settings.isContextEnforced ? settings.contextLength : Infinity;
};

/** The exchange, with a note of whether its mode breaks the connection. */
const watched = (exchange: Exchange, onBreak: () => void): Exchange => ({
  ...exchange,
  get isGone() {
    return exchange.isGone;
  },
  reset: () => {
    onBreak();
    exchange.reset();
  },
  hangUp: () => {
    onBreak();
    exchange.hangUp();
  },
});

/** Plays modes to calls, and keeps the books about it. */
export const createPlayer = (parts: PlayerParts): Player => {
  const { settings, states, ledger, account, attempts } = parts;
  let calls = 0;
  let running = 0;
  let idlers: (() => void)[] = [];

  const paceOf = (request: SimulatedRequest, chosen: ChosenMode, call: number): Pace => {
    const { latency, seed, scale } = settings.current;
    if (chosen.name === 'slow') return steadyPace(chosen.argument.count(parts.tokenDelayMs) * scale);
    if (latency === null) return steadyPace(parts.tokenDelayMs * scale);
    const random = seededRandom(seed, `pace ${request.model} ${String(call)}`);
    return modelledPace({ ...DEFAULT_LATENCY, ...latency }, random, scale);
  };
  const framingOf = (chosen: ChosenMode | null): Framing => {
    const { splitAt } = settings.current;
    return { ...chosen?.mode.framing, ...(splitAt !== null && { splitAt }) };
  };
  const stage: Stage = {
    now: () => settings.now(),
    get timings() {
      return TIMINGS[settings.current.timings];
    },
    account,
    closePort: (ms) => parts.closePort(ms * settings.current.scale),
  };
  const arrive = (state: ModelState): void => {
    running += 1;
    state.calls += 1;
    state.firstCallAt ??= settings.now();
    state.inFlight += 1;
    if (state.inFlight > state.books.maxInFlight) state.books = { ...state.books, maxInFlight: state.inFlight };
  };
  const leave = (state: ModelState): void => {
    state.inFlight -= 1;
    running -= 1;
    if (running > 0) return;
    for (const resolve of idlers) resolve();
    idlers = [];
  };
  const modeTextFor = (request: SimulatedRequest, state: ModelState): string => {
    const refusal = refusalOf(request, parts);
    if (refusal !== null) return refusal;
    const header = request.headers['x-sim-mode'];
    const scripted = typeof header === 'string' ? header : state.script.shift();
    return scripted ?? settings.modeOf(request.model, state.calls);
  };
  const choose = (text: string, state: ModelState): ChosenMode | null =>
    findMode(text, {
      now: settings.now(),
      call: state.calls,
      firstCallAt: state.firstCallAt ?? settings.now(),
      inFlight: state.inFlight,
      spentMicroUsd: ledger.spentMicroUsd,
      outageMs: stage.timings.outageMs,
      scale: settings.current.scale,
    });

  const perform = async (exchange: Exchange, chosen: ChosenMode | null): Promise<void> => {
    const { model, promptTokens } = exchange.request;
    if (chosen === null) {
      exchange.json(404, errorBody(404, 'not_found', `No endpoints found for ${model}.`));
    } else if (promptTokens > contextOf(exchange, chosen)) {
      refuseContext(exchange, contextOf(exchange, chosen));
    } else {
      await chosen.mode.play(exchange, chosen.argument);
    }
  };

  const play = async (request: SimulatedRequest, res: ServerResponse): Promise<void> => {
    const state = states.of(request.model);
    arrive(state);
    calls += 1;
    const id = `gen-${String(Math.floor(settings.now() / 1000))}-${String(calls).padStart(6, '0')}`;
    const mode = modeTextFor(request, state);
    const chosen = choose(mode, state);
    const modelSettings = settings.ofModel(request.model);
    const startedAt = settings.now();
    const entry = attempts.add(
      { request, mode, played: chosen?.text ?? null, attempt: state.calls, generationId: id },
      res,
    );
    let firstTokenAt: number | null = null;
    let isBroken = false;
    const isPlain = chosen?.name === 'ok-nostream';
    const exchange = createExchange(res, {
      request: isPlain ? { ...request, stream: false } : request,
      settings: modelSettings,
      stage,
      id,
      pace: chosen === null ? steadyPace(0) : paceOf(request, chosen, state.calls),
      maxTokens: chosen?.mode.isUnlimited ? Infinity : (request.maxTokens ?? Infinity),
      framing: framingOf(chosen),
      scale: settings.current.scale,
      onFirstToken: () => {
        firstTokenAt = settings.now();
        entry.firstToken();
      },
    });
    res.once('close', () => {
      const { tally } = exchange;
      const ending = endingOf(tally, res, isBroken);
      const bill = billOf({ request, settings: modelSettings, tally }, ending === 'aborted');
      ledger.add(state, {
        ...bill,
        id,
        model: request.model,
        provider: modelSettings.provider,
        finishReason: tally.finishReason,
        ending,
        isStreamed: request.stream,
        startedAt,
        settledAt: settings.now(),
        ttftMs: firstTokenAt === null ? null : firstTokenAt - startedAt,
      });
      entry.settle({ ending, bill, isAbandoned: !isBroken && !res.writableFinished });
      leave(state);
    });
    await perform(
      watched(exchange, () => (isBroken = true)),
      chosen,
    );
  };

  return {
    play,
    idle: () => (running === 0 ? Promise.resolve() : new Promise((resolve) => idlers.push(resolve))),
  };
};
