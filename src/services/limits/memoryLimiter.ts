import { LRUCache } from 'lru-cache';
import type { Clock } from '../../lib/clock.ts';
import type { Limiter, LimitState } from './limiter.ts';

/** Keys that are remembered, some 10 MB: who wants to push out a key must come from as many addresses. */
const MAX_KEYS = 50_000;

export interface MemoryLimiterOptions {
  readonly name: string;
  readonly limit: number;
  readonly windowMs: number;
  readonly clock: Clock;
  /** Called once per key and window, at the first refused hit. */
  readonly onExceeded: (key: string) => void;
  readonly maxKeys?: number;
}

interface Window {
  readonly endsAt: number;
  used: number;
}

/** A limiter for one node. Memory is bounded: of too many keys the least recently seen are forgotten. */
export const createMemoryLimiter = (options: MemoryLimiterOptions): Limiter => {
  const { name, limit, windowMs, clock, onExceeded } = options;
  const windows = new LRUCache<string, Window>({ max: options.maxKeys ?? MAX_KEYS });

  const windowOf = (key: string, now: number): Window => {
    const known = windows.get(key);
    if (known && known.endsAt > now) return known;
    const fresh = { endsAt: now + windowMs, used: 0 };
    windows.set(key, fresh);
    return fresh;
  };

  const hit = (key: string): LimitState => {
    const now = clock.now();
    if (limit === 0) return { allowed: true, used: 0, limit, remaining: 0, resetMs: windowMs };
    const window = windowOf(key, now);
    window.used += 1;
    const { used, endsAt } = window;
    if (used === limit + 1) onExceeded(key);
    return { allowed: used <= limit, used, limit, remaining: Math.max(0, limit - used), resetMs: endsAt - now };
  };

  const peek = (key: string): LimitState => {
    const now = clock.now();
    const window = windows.peek(key);
    const { used, endsAt } = window && window.endsAt > now ? window : { used: 0, endsAt: now + windowMs };
    return { allowed: used < limit, used, limit, remaining: Math.max(0, limit - used), resetMs: endsAt - now };
  };

  return {
    name,
    limit,
    windowMs,
    peek: (key) => Promise.resolve(peek(key)),
    hit: (key) => Promise.resolve(hit(key)),
    undo: (key) => {
      const window = windows.get(key);
      if (window && window.endsAt > clock.now()) window.used = Math.max(0, window.used - 1);
      return Promise.resolve();
    },
    reset: (key) => {
      windows.delete(key);
      return Promise.resolve();
    },
  };
};
