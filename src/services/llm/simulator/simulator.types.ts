import type { Clock } from '../../../lib/clock.ts';
import type { FreeLimits } from './account.ts';
import type { SimulatedAttempt } from './attemptLog.ts';
import type { Books, Generation } from './books.ts';
import type { ModelSettings } from './catalogue.ts';
import type { Latency, TIMINGS } from './timing.ts';

/** What a test changes while the simulator runs: `config(…)`, or `POST /__sim/config`. */
export interface SimulatorConfig {
  /** The seed of the mix and of the latencies. */
  readonly seed: number;
  /** Shares of all calls that meet a mode instead: `{ p429: 0.05, 'pstall-headers': 0.01 }`. The rest plays its own. */
  readonly mix: Readonly<Record<string, number>>;
  /** Modes by model, instead of the one in its name; `*` is for all others. */
  readonly modes: Readonly<Record<string, string>>;
  /** What is known about models, besides their mode. */
  readonly models: Readonly<Record<string, Partial<ModelSettings>>>;
  readonly freePool: FreeLimits;
  /** Once all calls cost so much (millionths of a dollar), every call is refused with 402. Null: there is plenty. */
  readonly creditMicroUsd: number | null;
  /** Null: `tokenDelayMs` after every word and nothing else. */
  readonly latency: Partial<Latency> | null;
  readonly timings: keyof typeof TIMINGS;
  /** Offset in the bytes of every stream at which a packet ends; null: where it happens to. */
  readonly splitAt: number | null;
  /** Factor on every wait, outages included; 0.1 is ten times as fast. */
  readonly scale: number;
  /** How long after its end a call is not yet in `/generation`, as in life. */
  readonly generationDelayMs: number;
}

export interface SimulatorOptions {
  /** Milliseconds between two words, unless `latency` is configured. */
  readonly tokenDelayMs: number;
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** 127.0.0.1 by default. */
  readonly host?: string;
  /** Random by default. */
  readonly apiKey?: string;
  readonly models?: readonly string[];
  /** How many calls `log` keeps, with all that was said in them. */
  readonly maxLogged?: number;
  readonly config?: Partial<SimulatorConfig>;
  /** Whether `/__sim/…` is there, for clients on this machine. */
  readonly hasControl?: boolean;
  /** For everything that depends on the time of day; waiting is done in real time. */
  readonly clock?: Clock;
}

export interface Outage {
  readonly model: string;
  /** By the simulator's clock, from now on. */
  readonly forMs: number;
  /** `503` by default. */
  readonly mode?: string;
}

/** What a test does with a simulator that runs. */
export interface SimulatorControls {
  /** The newest calls, oldest first. */
  readonly log: readonly SimulatedAttempt[];
  /** The call after those in the log, as soon as it arrives. */
  nextAttempt(): Promise<SimulatedAttempt>;
  /** The next calls of a model play these modes (`500`, `words:3`, …), one each; after them its own again. */
  script(model: string, modes: readonly (string | number)[]): void;
  /** Changes what is named, for the calls from now on. @throws SimulatorError when a mode does not exist */
  config(change: Partial<SimulatorConfig>): void;
  /** From now on the model is down; later ones replace earlier ones. @throws SimulatorError when the mode does not exist */
  outage(outage: Outage): void;
  /** Moves the simulator's clock: outages, rate limits and days pass without waiting. */
  advance(ms: number): void;
  /** What was billed since the start or the last reset, calls that still run left out. */
  books(): Books;
  /** A call that has ended, by its generation id. Only the newest are kept. */
  generation(id: string): Generation | null;
  /** Resolves when no call runs. */
  idle(): Promise<void>;
  /** Forgets calls, books, scripts and outages, and takes back every `config`. Calls that run go on. */
  reset(): void;
}

export interface Simulator extends SimulatorControls {
  /** Up to and including the version, without a slash at the end. */
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly models: readonly string[];
  close(): Promise<void>;
}

/** A wrong use of the simulator; its message is for the person who wrote the test. */
export class SimulatorError extends Error {
  override readonly name = 'SimulatorError';
}
