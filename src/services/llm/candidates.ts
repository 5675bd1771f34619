import type { Clock } from '../../lib/clock.ts';
import type { Choice, Wanted } from './choice.ts';
import { isFree, type FreeToken } from './freePool.ts';
import type { ModelPool, PooledModel } from './modelPool.ts';
import type { RouterSettings } from './settings.ts';

export interface CandidatesOptions {
  readonly pool: ModelPool;
  readonly choice: Choice;
  readonly settings: RouterSettings;
  readonly clock: Clock;
  readonly wanted: Wanted;
  readonly chatId: string;
}

/**
 * The models that one request may be asked of. None is taken twice. With a `:free` one its token of the free pool is taken, so
 * that a probe, a retry and another request each need one of their own.
 */
export interface Candidates {
  /** Those that may be asked as if nothing had happened, and were not yet. */
  ready(): readonly PooledModel[];
  /** Chooses one of them; null of none. */
  take(): PooledModel | null;
  /** Chooses one with a larger window, never one of the same size; null when nothing is known of any. */
  takeLarger(than: PooledModel): PooledModel | null;
  /** One that may be well again, to be asked beside a healthy one. */
  takeProbe(): PooledModel | null;
  /**
   * The one model that was picked, although it is open: who names it wants it, and its own quick failure tells more than
   * a refusal of ours. Null when it is silent or said itself when to come back.
   */
  takePicked(): { readonly model: PooledModel; readonly isProbe: boolean } | null;
  /** In how many milliseconds it may be asked alone; 0 or less where that is so already. */
  waitMsOf(model: PooledModel): number;
  /** Who may be asked alone the soonest. */
  earliest(): PooledModel | null;
  /** One that lacks nothing but a token of the free pool; null when there is none. */
  lackingToken(): PooledModel | null;
  /** Takes the next token of the free pool for who is asked after a wait, if the model that is waited for needs one. */
  hold(model: PooledModel): void;
  /** Counts it as taken, for one that was not taken here, or is asked once more. */
  use(model: PooledModel): void;
  /** The token that was taken with it, once; null without one. */
  claim(model: PooledModel): FreeToken | null;
  /** Gives back the tokens that nobody has claimed. */
  release(): void;
}

/** Those that pass the test; where none does, all. */
const preferred = (models: readonly PooledModel[], test: (model: PooledModel) => boolean): readonly PooledModel[] => {
  const passing = models.filter(test);
  return passing.length > 0 ? passing : models;
};

const contextLengthOf = ({ offered }: PooledModel): number => offered?.contextLength ?? 0;

export const createCandidates = (options: CandidatesOptions): Candidates => {
  const { pool, choice, settings, clock, wanted, chatId } = options;
  const all = pool.models.filter(({ slug }) => wanted.slugs.includes(slug));
  const used = new Set<PooledModel>();
  const tokens = new Map<PooledModel, FreeToken>();
  /** Of who has waited for one. */
  let held: FreeToken | null = null;

  const tokenInMs = ({ slug }: PooledModel): number =>
    isFree(slug) && held === null ? pool.freePool.nextAt() - clock.now() : -Infinity;
  const hasToken = (model: PooledModel): boolean => tokenInMs(model) <= 0;
  const isWell = (model: PooledModel): boolean => !used.has(model) && pool.isWell(model);
  const ready = (): readonly PooledModel[] => all.filter((model) => isWell(model) && hasToken(model));

  const release = (): void => {
    held?.giveBack();
    held = null;
    for (const token of tokens.values()) token.giveBack();
    tokens.clear();
  };

  const use = (model: PooledModel): void => {
    used.add(model);
    if (isFree(model.slug)) tokens.set(model, held ?? pool.freePool.take());
    else held?.giveBack();
    held = null;
  };

  const takeFrom = (models: readonly PooledModel[]): PooledModel | null => {
    const calm = preferred(models, (model) => !pool.isSuspect(model));
    const free = preferred(calm, ({ gate }) => !gate.isFull());
    const model = choice.take(free, wanted, chatId);
    if (model) use(model);
    return model;
  };

  /** Somebody who is finding out already is waited for. */
  const wellInMs = (model: PooledModel): number =>
    model.breaker.state() === 'half-open' ? settings.maxReturnWaitMs : pool.wellAt(model) - clock.now();
  const waitMsOf = (model: PooledModel): number => Math.max(wellInMs(model), tokenInMs(model));

  const isCooling = ({ slug }: PooledModel): boolean => pool.cooldowns.modelUntil(slug) > clock.now();
  const mayProbe = (model: PooledModel): boolean =>
    !used.has(model) && model.breaker.wantsProbe() && !isCooling(model) && !model.gate.isFull() && hasToken(model);

  return {
    ready,
    take: () => takeFrom(ready()),
    takeLarger: (than) => {
      const size = contextLengthOf(than);
      return size === 0 ? null : takeFrom(ready().filter((model) => contextLengthOf(model) > size));
    },
    takeProbe: () => {
      const model = settings.maxAttempts > 1 ? all.find(mayProbe) : undefined;
      if (model) use(model);
      return model ?? null;
    },
    takePicked: () => {
      const [model] = all;
      if (wanted.by !== 'picked' || !model || model.breaker.isSilent()) return null;
      if (isCooling(model) || !hasToken(model)) return null;
      use(model);
      const isProbe = model.breaker.state() === 'open';
      if (isProbe) model.breaker.beginProbe();
      return { model, isProbe };
    },
    waitMsOf,
    earliest: () => [...all].sort((a, b) => waitMsOf(a) - waitMsOf(b))[0] ?? null,
    lackingToken: () => all.find((model) => isWell(model) && !hasToken(model)) ?? null,
    hold: ({ slug }) => {
      if (isFree(slug)) held ??= pool.freePool.take();
    },
    use,
    claim: (model) => {
      const token = tokens.get(model) ?? null;
      tokens.delete(model);
      return token;
    },
    release,
  };
};
