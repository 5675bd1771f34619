import type { Clock } from '../../lib/clock.ts';
import type { Choice, Wanted } from './choice.ts';
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

/** The models that one request may be asked of. None is taken twice. */
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
  /** Who may be asked alone the soonest, and in how many milliseconds. */
  earliest(): { readonly model: PooledModel; readonly waitMs: number } | null;
  /** Counts it as taken, for one that was not taken here. */
  use(model: PooledModel): void;
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

  const ready = (): readonly PooledModel[] => all.filter((model) => !used.has(model) && pool.isReady(model));

  const takeFrom = (models: readonly PooledModel[]): PooledModel | null => {
    const calm = preferred(models, (model) => !pool.isSuspect(model));
    const free = preferred(calm, ({ gate }) => !gate.isFull);
    const model = choice.take(free, wanted, chatId);
    if (model) used.add(model);
    return model;
  };

  /** Somebody who is finding out already is waited for. */
  const returnsIn = (model: PooledModel): number =>
    model.breaker.state === 'half-open' ? settings.maxReturnWaitMs : pool.returnsAt(model) - clock.now();

  const isCooling = ({ slug }: PooledModel): boolean => pool.cooldowns.modelUntil(slug) > clock.now();
  const mayProbe = (model: PooledModel): boolean =>
    !used.has(model) && model.breaker.wantsProbe && !isCooling(model) && !model.gate.isFull;

  return {
    ready,
    take: () => takeFrom(ready()),
    takeLarger: (than) => {
      const size = contextLengthOf(than);
      return size === 0 ? null : takeFrom(ready().filter((model) => contextLengthOf(model) > size));
    },
    takeProbe: () => {
      const model = settings.maxAttempts > 1 ? all.find(mayProbe) : undefined;
      if (model) used.add(model);
      return model ?? null;
    },
    takePicked: () => {
      const [model] = all;
      if (wanted.by !== 'picked' || !model || model.breaker.isSilent || isCooling(model)) return null;
      used.add(model);
      const isProbe = model.breaker.state === 'open';
      if (isProbe) model.breaker.beginProbe();
      return { model, isProbe };
    },
    earliest: () => {
      const [model] = [...all].sort((a, b) => returnsIn(a) - returnsIn(b));
      return model ? { model, waitMs: returnsIn(model) } : null;
    },
    use: (model) => void used.add(model),
  };
};
