import type { Clock } from '../../lib/clock.ts';
import type { RouterSettings } from './settings.ts';

/** How well one model does. Nothing here decides anything; the clock is the caller's. */
export interface Health {
  succeeded(): void;
  failed(): void;
  /** The first token of any kind came so many milliseconds after the call: it lives. */
  alive(ms: number): void;
  /** The first visible text did: what a user waits for. */
  visible(ms: number): void;
  /** 0 to 1 over the recent past; null when it was never asked. */
  successRate(): number | null;
  /** Milliseconds; null without a recent answer. */
  medianFirstTokenMs(): number | null;
  /** How long its first token may take before it counts as lost. */
  firstTokenTimeoutMs(): number;
  /** How long it may be silent before others are preferred. */
  suspectAfterMs(): number;
  /**
   * What its weight is multiplied with, from the floor to 1.
   * @param typicalMs the median of the other models' first tokens; null when unknown
   */
  factor(typicalMs: number | null): number;
}

/** The middle of values in their order, or the mean of the two; null of nothing. */
const middleOf = (sorted: readonly number[]): number | null => {
  if (sorted.length === 0) return null;
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] ?? upper)) / 2;
};

const inOrder = (values: readonly number[]): readonly number[] => values.toSorted((a, b) => a - b);

/** The middle value, or the mean of the two; null of nothing. */
export const medianOf = (values: readonly number[]): number | null => middleOf(inOrder(values));

/** The least of values in their order that `share` of all do not exceed. */
const quantileOf = (sorted: readonly number[], share: number): number | null =>
  sorted[Math.ceil(share * sorted.length) - 1] ?? null;

const clamp = (value: number, min: number, max: number): number => Math.min(Math.max(value, min), max);

/** The last samples, forgotten together when none has come for long. */
const createSamples = (clock: Clock, { maxSamples, sampleTtlMs }: RouterSettings) => {
  let values: number[] = [];
  /** Made when it is asked for: a choice asks several times between two samples. */
  let sorted: readonly number[] | null = null;
  let newestAt = 0;
  return {
    add: (value: number): void => {
      if (clock.now() - newestAt > sampleTtlMs) values = [];
      newestAt = clock.now();
      values.push(value);
      if (values.length > maxSamples) values.shift();
      sorted = null;
    },
    /** The least first. */
    all: (): readonly number[] => (clock.now() - newestAt > sampleTtlMs ? [] : (sorted ??= inOrder(values))),
  };
};

/** Good and bad ends, each worth half after every half-life. */
const createTally = (clock: Clock, halfLifeMs: number) => {
  let good = 0;
  let bad = 0;
  let at = clock.now();
  const fade = (): void => {
    const left = 0.5 ** ((clock.now() - at) / halfLifeMs);
    good *= left;
    bad *= left;
    at = clock.now();
  };
  return {
    add: (isGood: boolean): void => {
      fade();
      if (isGood) good += 1;
      else bad += 1;
    },
    now: (): { readonly good: number; readonly bad: number } => {
      fade();
      return { good, bad };
    },
  };
};

export const createHealth = (clock: Clock, settings: RouterSettings): Health => {
  const { firstTokenMs } = settings;
  const lives = createSamples(clock, settings);
  const texts = createSamples(clock, settings);
  const tally = createTally(clock, settings.healthHalfLifeMs);
  let wasAsked = false;

  const p95 = (): number | null => {
    const samples = lives.all();
    return samples.length < settings.minSamples ? null : quantileOf(samples, 0.95);
  };
  const count = (isGood: boolean): void => {
    wasAsked = true;
    tally.add(isGood);
  };

  return {
    succeeded: () => count(true),
    failed: () => count(false),
    alive: (ms) => lives.add(ms),
    visible: (ms) => texts.add(ms),
    successRate: () => {
      const { good, bad } = tally.now();
      if (!wasAsked) return null;
      // Both fade alike, so that the ratio outlives them; after days nothing is left to divide.
      return good + bad < Number.EPSILON ? 1 : good / (good + bad);
    },
    medianFirstTokenMs: () => middleOf(texts.all()),
    firstTokenTimeoutMs: () => {
      const known = p95();
      if (known === null) return firstTokenMs;
      const { firstTokenFloor, firstTokenCeiling, p95Factor } = settings;
      return clamp(p95Factor * known, firstTokenFloor * firstTokenMs, firstTokenCeiling * firstTokenMs);
    },
    suspectAfterMs: () => {
      const known = p95();
      if (known === null) return settings.suspectCold * firstTokenMs;
      return Math.max(settings.suspectFloor * firstTokenMs, 1.5 * known);
    },
    factor: (typicalMs) => {
      const { good, bad } = tally.now();
      // One good end is taken for granted: a model begins well, and one failure is not the end of it.
      const reliability = (good + 1) / (good + bad + 1);
      const own = middleOf(texts.all());
      const fair = Math.max(settings.slowFirstTokenMs, settings.slowFactor * (typicalMs ?? 0));
      const speed = own === null || own <= fair ? 1 : fair / own;
      return clamp(reliability * speed, settings.weightFloor, 1);
    },
  };
};
