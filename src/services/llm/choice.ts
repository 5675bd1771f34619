import type { ModelPool, PooledModel } from './modelPool.ts';
import { createRotation, pickForChat } from './rotation.ts';

const AUTO = 'auto';
const BY = { [AUTO]: 'rotation', 'auto:fast': 'fast', 'auto:cheap': 'cheap' } as const;

/** What a request's `model` asks for. */
export interface Wanted {
  readonly by: 'rotation' | 'fast' | 'cheap' | 'picked';
  /** From which models to choose. */
  readonly slugs: readonly string[];
}

const isVirtual = (model: string): model is keyof typeof BY => Object.hasOwn(BY, model);

/**
 * @param model `auto`, `auto:fast`, `auto:cheap`, a slug, or slugs with commas between them
 * @returns null when it names anything that is not in rotation
 */
export const readWanted = (model: string, inRotation: readonly string[]): Wanted | null => {
  if (isVirtual(model)) return { by: BY[model], slugs: inRotation };
  if (inRotation.includes(model)) return { by: 'picked', slugs: [model] };
  const slugs = [...new Set(model.split(',').map((slug) => slug.trim()))];
  if (!slugs.every((slug) => inRotation.includes(slug))) return null;
  return { by: slugs.length === 1 ? 'picked' : 'rotation', slugs };
};

export interface ChoiceOptions {
  readonly pool: ModelPool;
  readonly affinity: 'message' | 'chat';
}

/** Which of several models a request gets. */
export interface Choice {
  /** Takes a turn of the rotation, unless there is nothing to choose. Null of nothing. */
  take(models: readonly PooledModel[], wanted: Wanted, chatId: string): PooledModel | null;
  /** What `auto` would take for the next message, and each model's share of messages; where the chat decides, nothing. */
  next(models: readonly PooledModel[]): string | null;
  shares(models: readonly PooledModel[]): ReadonlyMap<string, number>;
}

/** The least, with all that are as little; unknown counts as least, since only asking makes it known. */
const least = (models: readonly PooledModel[], of: (model: PooledModel) => number): readonly PooledModel[] => {
  const values = models.map(of);
  const min = Math.min(...values);
  return models.filter((_, index) => values[index] === min);
};

/** Picodollars for one token of prompt and one of answer; a model without a price is the last to be taken for cheap. */
const priceOf = ({ offered }: PooledModel): number => {
  const { promptPrice = null, completionPrice = null } = offered ?? {};
  return promptPrice === null || completionPrice === null ? Infinity : promptPrice + completionPrice;
};

const narrow = (models: readonly PooledModel[], { by }: Wanted): readonly PooledModel[] => {
  switch (by) {
    case 'fast':
      return least(models, ({ health }) => Math.round(health.medianFirstTokenMs() ?? 0));
    case 'cheap':
      return least(models, priceOf);
    default:
      return models;
  }
};

export const createChoice = ({ pool, affinity }: ChoiceOptions): Choice => {
  const rotation = createRotation();

  return {
    take: (models, wanted, chatId) => {
      const candidates = narrow(models, wanted);
      // Who picks a model takes no turn away from it in the rotation.
      if (wanted.by === 'picked') return candidates[0] ?? null;
      // By the weights as configured: a chat whose model changed with every change of health would lose its prompt cache.
      const byChat = affinity === 'chat' && wanted.by === 'rotation';
      const slug = byChat ? pickForChat(chatId, candidates) : rotation.take(pool.weigh(candidates));
      return models.find((model) => model.slug === slug) ?? null;
    },
    next: (models) => (affinity === 'chat' ? null : rotation.peek(pool.weigh(models))),
    shares: (models) => {
      const weighed = pool.weigh(models);
      const total = weighed.reduce((sum, { weight }) => sum + weight, 0);
      return new Map(weighed.map(({ slug, weight }) => [slug, weight / total]));
    },
  };
};
