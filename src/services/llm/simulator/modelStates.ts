import { EMPTY_BOOKS, type ModelBooks } from './books.ts';

/** What is remembered about one model since the start or the last reset. */
export interface ModelState {
  calls: number;
  /** Milliseconds since the epoch; null: never called. */
  firstCallAt: number | null;
  inFlight: number;
  books: ModelBooks;
  /** Modes of the next calls. */
  script: string[];
}

/** Names come from outside; more of them than any test has are not kept apart. */
const MAX_MODELS = 2000;
const OTHERS = '(others)';

export interface ModelStates {
  of(model: string): ModelState;
  entries(): readonly (readonly [string, ModelState])[];
  clear(): void;
}

const newState = (): ModelState => ({ calls: 0, firstCallAt: null, inFlight: 0, books: EMPTY_BOOKS, script: [] });

export const createModelStates = (): ModelStates => {
  const states = new Map<string, ModelState>();
  const add = (model: string): ModelState => {
    const state = newState();
    states.set(model, state);
    return state;
  };
  return {
    of: (model) => {
      const name = states.has(model) || states.size < MAX_MODELS ? model : OTHERS;
      return states.get(name) ?? add(name);
    },
    entries: () => [...states],
    clear: () => states.clear(),
  };
};
