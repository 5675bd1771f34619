/** Random choices that a seed repeats: a failure is replayed by the seed that it printed. */
export interface Random {
  /** From 0 to below 1. */
  next(): number;
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number;
  isTrue(probability: number): boolean;
  pick<T>(list: readonly T[]): T;
}

/** Mulberry32, which is small and good enough to choose with. */
export const createRandom = (seed: number): Random => {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return {
    next,
    below: (limit) => Math.floor(next() * limit),
    isTrue: (probability) => next() < probability,
    pick: (list) => list[Math.floor(next() * list.length)]!,
  };
};

/**
 * The seed of a test. It is the same in every run, so that a change is red for what it did and not for what was drawn;
 * `PARLEY_SEED=n` draws otherwise, `PARLEY_SEED=new` as never before. The seed is printed.
 */
export const seedOf = (what: string): number => {
  const { PARLEY_SEED: wanted = '20261122' } = process.env;
  const seed = wanted === 'new' ? Date.now() % 1_000_000 : Number(wanted);
  process.stdout.write(`${what}: seed ${String(seed)}\n`);
  return seed;
};
