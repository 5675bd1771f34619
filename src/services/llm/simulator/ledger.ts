import { addTo, EMPTY_BOOKS, type Books, type Generation, type ModelBooks } from './books.ts';
import type { ModelState, ModelStates } from './modelStates.ts';

/** How many calls `/generation` knows. */
const MAX_GENERATIONS = 2000;

/** The books of all calls, and the newest calls themselves. */
export interface Ledger {
  readonly spentMicroUsd: number;
  /** Books a call that has ended. @param state of its model, at the time when it began */
  add(state: ModelState, generation: Generation): void;
  find(id: string): Generation | null;
  books(): Books;
  clear(): void;
}

const sum = (a: ModelBooks, b: ModelBooks): ModelBooks => ({
  calls: a.calls + b.calls,
  completed: a.completed + b.completed,
  failed: a.failed + b.failed,
  broken: a.broken + b.broken,
  aborted: a.aborted + b.aborted,
  promptTokens: a.promptTokens + b.promptTokens,
  completionTokens: a.completionTokens + b.completionTokens,
  reasoningTokens: a.reasoningTokens + b.reasoningTokens,
  cachedTokens: a.cachedTokens + b.cachedTokens,
  costMicroUsd: a.costMicroUsd + b.costMicroUsd,
  maxInFlight: Math.max(a.maxInFlight, b.maxInFlight),
});

export const createLedger = (states: ModelStates): Ledger => {
  const generations = new Map<string, Generation>();
  let spentMicroUsd = 0;
  return {
    get spentMicroUsd() {
      return spentMicroUsd;
    },
    add: (state, generation) => {
      state.books = addTo(state.books, generation, generation.ending);
      spentMicroUsd += generation.costMicroUsd;
      generations.set(generation.id, generation);
      const [oldest] = generations.keys();
      if (generations.size > MAX_GENERATIONS && oldest !== undefined) generations.delete(oldest);
    },
    find: (id) => generations.get(id) ?? null,
    books: () => {
      const models = states.entries().map(([model, { books }]) => [model, books] as const);
      return {
        total: models.reduce((total, [, books]) => sum(total, books), EMPTY_BOOKS),
        models: Object.fromEntries(models),
      };
    },
    clear: () => {
      generations.clear();
      spentMicroUsd = 0;
    },
  };
};
