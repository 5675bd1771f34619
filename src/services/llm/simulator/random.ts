/** Numbers in [0, 1). */
export type Random = () => number;

/** FNV-1a: the same text is the same number on every machine. */
const hashOf = (text: string): number => {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
};

/**
 * A generator that depends on the seed and the text only (mulberry32, public domain). Each call of a model gets its own,
 * so that what one call meets does not depend on which others run at the same time.
 */
export const seededRandom = (seed: number, text: string): Random => {
  let state = (seed ^ hashOf(text)) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

/** A standard normal number (Box–Muller). */
const normalOf = (random: Random): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** Standard deviations between the median and the 95th percentile. */
const Z_95 = 1.6449;

/** A log-normal number with this median and 95th percentile, in their unit. */
export const logNormal = (random: Random, p50: number, p95: number): number => {
  if (p50 <= 0) return 0;
  const sigma = Math.max(0, Math.log(p95 / p50) / Z_95);
  return p50 * Math.exp(sigma * normalOf(random));
};
