/**
 * Every number of the router, each with where it comes from. What an operator would tune is a variable of the
 * environment (config/env.schema.ts); waits that hang on how fast models are hang on `LLM_FIRST_TOKEN_TIMEOUT`.
 */
export interface RouterSettings {
  /** Upstream calls that one request may cost, probes and continuations included. */
  readonly maxAttempts: number;
  /** How often one answer may be continued by another model. */
  readonly maxContinuations: number;
  /** The longest wait for the first token of a model of which too little is known; all multiples below are of it. */
  readonly firstTokenMs: number;
  /** A model that is known may take this multiple of the time that 95 of 100 of its answers took … */
  readonly p95Factor: number;
  /** … but not less or more than these multiples of `firstTokenMs`: 3 s and 20 s of 10 s. */
  readonly firstTokenFloor: number;
  readonly firstTokenCeiling: number;
  /** From how many samples on a model is known. */
  readonly minSamples: number;
  /** Samples that are kept of a model, and how old the newest may be. */
  readonly maxSamples: number;
  readonly sampleTtlMs: number;
  /** What one answer may take; what begins it anew, because nobody has seen any of it, has what is left of that … */
  readonly totalMs: number;
  /** … unless that is less than this. */
  readonly minAttemptMs: number;
  /** What a whole request may wait for its first token, as a multiple: the last candidate has all that is left of it. */
  readonly firstTokenBudget: number;
  /** After which multiple of silence a model gets no more calls until the silent one is decided: cold, and at least. */
  readonly suspectCold: number;
  readonly suspectFloor: number;
  /** What became of calls counts half after this long. */
  readonly healthHalfLifeMs: number;
  /** The share of its weight that the sickest model keeps, so that it can show that it is well again. */
  readonly weightFloor: number;
  /** A first token within this costs no weight, however fast the others are. */
  readonly slowFirstTokenMs: number;
  /** How much later than the rotation's median a first token must come to cost weight. */
  readonly slowFactor: number;
  readonly breaker: BreakerSettings;
  readonly cooldowns: CooldownSettings;
  /** When no model is to be had, how long a request waits for the first that is well again. */
  readonly maxReturnWaitMs: number;
  /** How long a rate limit may last for the only candidate to be asked again by the same request. */
  readonly maxSameModelWaitMs: number;
  readonly concurrency: ConcurrencySettings;
  readonly continuation: ContinuationSettings;
  readonly freePool: FreePoolSettings;
}

export interface BreakerSettings {
  /** Calls that are remembered, and from how many on their share counts. */
  readonly windowCalls: number;
  readonly minCalls: number;
  readonly failureShare: number;
  readonly consecutiveFailures: number;
  /** A failure before the first token that took this multiple of `firstTokenMs` to notice opens at once. */
  readonly slowFailure: number;
  readonly openMs: number;
  readonly maxOpenMs: number;
  /** Part of the time by which it is shortened or lengthened at random, so that nodes do not come back together. */
  readonly jitter: number;
  /** Between two calls to a model that is silent, as a multiple of `firstTokenMs`: three a minute of 10 s. */
  readonly silentRetry: number;
  /** What the last call to a silent model may have been late and the next still be due on the beat. */
  readonly silentSlack: number;
}

export interface CooldownSettings {
  /** `Retry-After` of one model is believed within these bounds (aisix clamps at 600 s). */
  readonly minMs: number;
  readonly maxMs: number;
  /** When the endpoint does not say how long. */
  readonly rateLimitMs: number;
  readonly notFoundMs: number;
  readonly freePoolMs: number;
  readonly keyMs: number;
}

export interface ConcurrencySettings {
  /** Calls that may run at a model at once. */
  readonly maxRunning: number;
  readonly maxQueued: number;
  /** For a place at a model, and where nothing else is to be had, for a call of the free pool. */
  readonly maxWaitMs: number;
}

export interface FreePoolSettings {
  /** Calls of all `:free` models together in a minute, as OpenRouter allows an account; 0: as many as there are. */
  readonly perMinute: number;
  /**
   * From a call's start on until another may take its place: a minute, and as long as two calls may differ in how late they
   * arrive there.
   */
  readonly returnMs: number;
}

export interface ContinuationSettings {
  /** How much of the end of an answer the next model repeats, and within how many UTF-16 units it must have done so. */
  readonly anchorUnits: number;
  readonly maxHeldUnits: number;
}

export const ROUTER_SETTINGS: RouterSettings = {
  maxAttempts: 3,
  maxContinuations: 2,
  totalMs: 600_000,
  minAttemptMs: 500,
  firstTokenMs: 10_000,
  p95Factor: 3,
  firstTokenFloor: 0.3,
  firstTokenCeiling: 2,
  minSamples: 5,
  maxSamples: 20,
  sampleTtlMs: 600_000,
  firstTokenBudget: 3,
  suspectCold: 0.25,
  suspectFloor: 0.1,
  healthHalfLifeMs: 30_000,
  weightFloor: 0.05,
  slowFirstTokenMs: 2_000,
  slowFactor: 2,
  breaker: {
    windowCalls: 20,
    minCalls: 5,
    failureShare: 0.5,
    consecutiveFailures: 3,
    slowFailure: 0.1,
    openMs: 5_000,
    maxOpenMs: 60_000,
    jitter: 0.2,
    silentRetry: 2,
    silentSlack: 0.25,
  },
  cooldowns: {
    minMs: 1_000,
    maxMs: 600_000,
    rateLimitMs: 5_000,
    notFoundMs: 300_000,
    freePoolMs: 60_000,
    keyMs: 30_000,
  },
  maxReturnWaitMs: 1_000,
  maxSameModelWaitMs: 2_000,
  concurrency: { maxRunning: 512, maxQueued: 256, maxWaitMs: 10_000 },
  continuation: { anchorUnits: 40, maxHeldUnits: 240 },
  freePool: { perMinute: 20, returnMs: 61_000 },
};
