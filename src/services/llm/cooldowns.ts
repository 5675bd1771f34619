import type { Clock } from '../../lib/clock.ts';
import { isFree } from './freePool.ts';
import type { ProviderError } from './provider.ts';
import type { CooldownSettings } from './settings.ts';

/**
 * Until when whom is left alone: one model, all of the `:free` models, or the key with everything behind it. Deadlines
 * only move away: of two answers that say when to come back the later one holds.
 */
export interface Cooldowns {
  /** Takes what an endpoint's refusal says. */
  learn(model: string, error: ProviderError): void;
  /** Milliseconds of the clock; in the past or 0 when the model may be asked. The key is not in it. */
  modelUntil(model: string): number;
  /** The same of the key; nobody is asked before. */
  keyUntil(): number;
  /**
   * Asks whether anything may be asked with the key. After a refusal's time one caller is let through to find out, and
   * the others wait for that.
   * @returns how long not, in milliseconds (0: it may), and whether the caller is the one that finds out
   */
  admit(): { readonly waitMs: number; readonly isKeyProbe: boolean };
  /** The endpoint took the key. */
  keyTaken(): void;
  /** Whoever was to find out has ended, whether it did or not. */
  keyProbeEnded(): void;
}

/** How long the others wait for the call that finds out about the key. */
const KEY_PROBE_WAIT_MS = 1_000;

export const createCooldowns = (clock: Clock, settings: CooldownSettings): Cooldowns => {
  const models = new Map<string, number>();
  let freeUntil = 0;
  let keyUntil = 0;
  let isKeyProbed = false;

  const clamp = (ms: number): number => Math.min(Math.max(ms, settings.minMs), settings.maxMs);

  /** Null: the failure is no reason to leave the model alone; the breaker has it. */
  const modelWaitMs = ({ kind, retryAfterMs }: ProviderError): number | null => {
    if (kind === 'rate_limited') return clamp(retryAfterMs ?? settings.rateLimitMs);
    if (kind === 'not_found') return clamp(Math.max(retryAfterMs ?? 0, settings.notFoundMs));
    return kind === 'unavailable' && retryAfterMs !== null ? clamp(retryAfterMs) : null;
  };

  return {
    learn: (model, error) => {
      const now = clock.now();
      if (error.scope === 'key') {
        keyUntil = Math.max(keyUntil, now + clamp(error.retryAfterMs ?? settings.keyMs));
        isKeyProbed = false;
        return;
      }
      if (error.scope === 'free') {
        // Not clamped above: a day's allowance is back at midnight, and nothing before helps.
        freeUntil = Math.max(freeUntil, now + Math.max(error.retryAfterMs ?? settings.freePoolMs, settings.minMs));
        return;
      }
      const waitMs = modelWaitMs(error);
      if (waitMs !== null) models.set(model, Math.max(models.get(model) ?? 0, now + waitMs));
    },
    modelUntil: (model) => Math.max(models.get(model) ?? 0, isFree(model) ? freeUntil : 0),
    keyUntil: () => keyUntil,
    admit: () => {
      if (keyUntil === 0) return { waitMs: 0, isKeyProbe: false };
      const waitMs = isKeyProbed ? KEY_PROBE_WAIT_MS : Math.max(0, keyUntil - clock.now());
      if (waitMs === 0) isKeyProbed = true;
      return { waitMs, isKeyProbe: waitMs === 0 };
    },
    keyTaken: () => {
      keyUntil = 0;
      isKeyProbed = false;
    },
    keyProbeEnded: () => {
      isKeyProbed = false;
    },
  };
};
