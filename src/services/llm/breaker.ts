import type { Clock } from '../../lib/clock.ts';
import type { BreakerSettings } from './settings.ts';

export type BreakerState = 'closed' | 'open' | 'half-open';

/** One failure that was the model's. */
export interface BreakerFailure {
  /** When the call began, in milliseconds of the clock. */
  readonly startedAt: number;
  /** Whether it was silence that ended it. */
  readonly isTimeout: boolean;
  /** Whether it came after the first token. */
  readonly wasAlive: boolean;
}

export interface BreakerOptions {
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly settings: BreakerSettings;
  readonly firstTokenMs: number;
  readonly onChange: (state: BreakerState) => void;
}

/**
 * Keeps users away from one model that fails, and finds out when it is well again: docs/decisions/2026-11-21-router.md.
 * A probe is one real call; there is at most one at a time.
 */
export interface Breaker {
  state(): BreakerState;
  /** When a request may ask it alone again; 0 while it is closed. */
  returnsAt(): number;
  /** Whether a request that asks another model too may ask it now. */
  wantsProbe(): boolean;
  /** Whether asking it would cost a wait: it fails by silence, not by saying so. */
  isSilent(): boolean;
  succeeded(): void;
  failed(failure: BreakerFailure): void;
  /**
   * Lets one call through.
   * @returns how long it may be silent, in milliseconds: as long as it is, it listens whether the model comes back
   */
  beginProbe(): number;
  /** Its first token came. */
  probeSucceeded(): void;
  probeFailed(failure: BreakerFailure): void;
  /** It ended without a verdict: its client left. */
  probeAborted(): void;
}

/** Milliseconds: a model that takes less to say that it cannot costs nobody a wait. */
const MIN_SLOW_MS = 1_000;

export const createBreaker = (options: BreakerOptions): Breaker => {
  const { clock, random, settings, firstTokenMs } = options;
  const silentMs = settings.silentRetry * firstTokenMs;
  let state: BreakerState = 'closed';
  let outcomes: boolean[] = [];
  let consecutive = 0;
  /** How often it opened without one whole answer in between. */
  let openings = 0;
  let returnsAt = 0;
  let probeAt = 0;
  /** When the next call to a silent model is due. */
  let silentDue = 0;
  let isSilent = false;

  const change = (next: BreakerState): void => {
    if (state === next) return;
    state = next;
    options.onChange(next);
  };
  const jittered = (ms: number): number => ms * (1 + settings.jitter * (2 * random() - 1));
  /**
   * Always a little late: a beat that is early would be one call more in its minute. The model counts from when a call arrives, which
   * is later for the first one, whose connection had to be made.
   */
  const nextBeat = (from: number): number => from + silentMs * (1 + (settings.jitter / 16) * (1 + random()));

  const open = ({ startedAt, isTimeout }: BreakerFailure, beat: number, noticedMs: number): void => {
    const now = clock.now();
    const ladder = Math.min(settings.openMs * 2 ** openings, settings.maxOpenMs);
    openings += 1;
    outcomes = [];
    consecutive = 0;
    // A cooldown outlasts what noticing the fault took; deadlines only move away.
    returnsAt = Math.max(returnsAt, now + Math.max(jittered(ladder), noticedMs));
    isSilent = isTimeout;
    if (isTimeout) {
      silentDue = Math.max(beat, startedAt);
      returnsAt = Math.max(returnsAt, silentDue);
      probeAt = silentDue;
    } else {
      silentDue = 0;
      probeAt = Math.min(returnsAt, now + jittered(settings.openMs));
    }
    change('open');
  };

  const isTooMuch = (): boolean => {
    const { windowCalls, minCalls, failureShare, consecutiveFailures } = settings;
    outcomes = outcomes.slice(-windowCalls);
    const failures = outcomes.filter((isGood) => !isGood).length;
    return (
      consecutive >= consecutiveFailures || (outcomes.length >= minCalls && failures / outcomes.length >= failureShare)
    );
  };

  return {
    state: () => state,
    returnsAt: () => (state === 'closed' ? 0 : returnsAt),
    wantsProbe: () => state === 'open' && clock.now() >= probeAt,
    isSilent: () => state !== 'closed' && isSilent,
    succeeded: () => {
      if (state !== 'closed') return;
      outcomes.push(true);
      consecutive = 0;
      openings = 0;
    },
    failed: (failure) => {
      // A call that began before it opened tells nothing new.
      if (state !== 'closed') return;
      outcomes.push(false);
      consecutive += 1;
      const noticedMs = clock.now() - failure.startedAt;
      const slowMs = settings.slowFailure * firstTokenMs;
      // A refusal is quick however short an operator's patience with silence is.
      const wasSlow = !failure.wasAlive && noticedMs >= (failure.isTimeout ? slowMs : Math.max(slowMs, MIN_SLOW_MS));
      const silence = { ...failure, isTimeout: failure.isTimeout && !failure.wasAlive };
      if (wasSlow || isTooMuch()) open(silence, nextBeat(failure.startedAt), failure.wasAlive ? 0 : noticedMs);
    },
    beginProbe: () => {
      const now = clock.now();
      const beat = Math.max(silentDue, now - settings.silentSlack * silentMs);
      silentDue = nextBeat(beat);
      change('half-open');
      return silentDue - now;
    },
    probeSucceeded: () => {
      if (state !== 'half-open') return;
      returnsAt = 0;
      silentDue = 0;
      change('closed');
    },
    probeFailed: (failure) => {
      // Nobody waited for it.
      if (state === 'half-open') open(failure, silentDue, 0);
    },
    probeAborted: () => {
      if (state === 'half-open') change('open');
    },
  };
};
