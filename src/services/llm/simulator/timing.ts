import { logNormal, type Random } from './random.ts';

/** How long the modes that take time take, unless their argument says it. Milliseconds. */
export interface Timings {
  /** What `Retry-After` asks for, where a mode has no figure of its own. */
  readonly retryAfterMs: number;
  /** Until the first token of `slow-first-token`. */
  readonly firstTokenMs: number;
  /** The gap in `stall-then-resume`. */
  readonly stallMs: number;
  /** How long `silence` lasts. */
  readonly silenceMs: number;
  /** How long `down` and the down half of `flap` last. */
  readonly outageMs: number;
  /** Between two words, when the simulator runs as a process. */
  readonly tokenMs: number;
}

/** The two paces of Failover Bench: as in life, and for runs that cannot wait. */
export const TIMINGS = {
  full: {
    retryAfterMs: 2000,
    firstTokenMs: 20_000,
    stallMs: 30_000,
    silenceMs: 120_000,
    outageMs: 60_000,
    tokenMs: 15,
  },
  fast: { retryAfterMs: 2000, firstTokenMs: 3000, stallMs: 4000, silenceMs: 15_000, outageMs: 6000, tokenMs: 5 },
} as const satisfies Record<string, Timings>;

/** How fast a model speaks. All of it comes from the seed. */
export interface Latency {
  /** Time to the first token: log-normal with this median and 95th percentile. 0: at once. */
  readonly ttftP50Ms: number;
  readonly ttftP95Ms: number;
  readonly tokensPerSecond: number;
  /** 0.2: the time between two chunks varies by ±20 %. */
  readonly jitter: number;
  /** Words that come in one chunk. */
  readonly tokensPerChunk: number;
  /** The share of calls whose first token takes `spikeFactor` times as long. */
  readonly spikeRate: number;
  readonly spikeFactor: number;
}

export const DEFAULT_LATENCY: Latency = {
  ttftP50Ms: 0,
  ttftP95Ms: 0,
  tokensPerSecond: 60,
  jitter: 0,
  tokensPerChunk: 1,
  spikeRate: 0,
  spikeFactor: 5,
};

/** The pace of one call, in milliseconds of real time. */
export interface Pace {
  readonly firstTokenMs: number;
  readonly wordsPerChunk: number;
  nextDelayMs(): number;
}

/** The same gap after every word, and none before the first. */
export const steadyPace = (delayMs: number): Pace => ({
  firstTokenMs: 0,
  wordsPerChunk: 1,
  nextDelayMs: () => delayMs,
});

/** @param scale 0.1: ten times as fast */
export const modelledPace = (latency: Latency, random: Random, scale: number): Pace => {
  const isSpike = random() < latency.spikeRate;
  const ttft = logNormal(random, latency.ttftP50Ms, latency.ttftP95Ms) * (isSpike ? latency.spikeFactor : 1);
  const gapMs = (1000 / latency.tokensPerSecond) * latency.tokensPerChunk * scale;
  return {
    firstTokenMs: ttft * scale,
    wordsPerChunk: latency.tokensPerChunk,
    nextDelayMs: () => gapMs * (1 + latency.jitter * (2 * random() - 1)),
  };
};

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/;

/** `250`, `250ms`, `2.5s`, `5m`, `1h` in milliseconds; null when it is no duration. */
export const readDuration = (text: string): number | null => {
  const match = DURATION.exec(text);
  return match === null ? null : Number(match[1]) * (UNIT_MS[match[2] ?? 'ms'] ?? 1);
};
