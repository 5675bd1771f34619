import { describe, expect, test } from '@jest/globals';
import { createCooldowns } from '../../src/services/llm/cooldowns.ts';
import { ProviderError, type FailureScope, type ProviderErrorKind } from '../../src/services/llm/provider.ts';
import { ROUTER_SETTINGS } from '../../src/services/llm/settings.ts';

const SECOND = 1000;
const DAY = 86_400 * SECOND;

const start = () => {
  let now = 1_000_000;
  const cooldowns = createCooldowns({ now: () => now }, ROUTER_SETTINGS.cooldowns);
  return {
    cooldowns,
    wait: (ms: number) => void (now += ms),
    learn: (kind: ProviderErrorKind, retryAfterMs: number | null = null, scope: FailureScope = 'model') =>
      cooldowns.learn('a', new ProviderError(kind, 'x', { retryAfterMs, scope })),
    left: (slug: string) => Math.max(0, cooldowns.modelUntil(slug) - now),
  };
};

describe('a cooldown', () => {
  test.each<[ProviderErrorKind, number | null, number]>([
    ['rate_limited', 7 * SECOND, 7 * SECOND],
    ['rate_limited', null, 5 * SECOND],
    ['rate_limited', 0, 1 * SECOND],
    ['rate_limited', DAY, 600 * SECOND],
    ['unavailable', 3 * SECOND, 3 * SECOND],
    ['unavailable', null, 0],
    ['not_found', null, 300 * SECOND],
    ['network', null, 0],
    ['timeout', null, 0],
    ['rejected', null, 0],
  ])('after %s with retry-after %s lasts %d ms, for that model alone', (kind, retryAfterMs, ms) => {
    const { learn, left } = start();
    learn(kind, retryAfterMs);
    expect([left('a'), left('b')]).toEqual([ms, 0]);
  });

  test('of two deadlines the later one holds', () => {
    const { learn, left, wait } = start();
    learn('rate_limited', 60 * SECOND);
    wait(10 * SECOND);
    learn('rate_limited', 5 * SECOND);
    expect(left('a')).toBe(50 * SECOND);
    learn('rate_limited', 55 * SECOND);
    expect(left('a')).toBe(55 * SECOND);
  });

  test('of the free pool is every free model’s, until its reset however far', () => {
    const { learn, left } = start();
    learn('rate_limited', DAY / 2, 'free');
    expect([left('x/y:free'), left('z:free'), left('x/y')]).toEqual([DAY / 2, DAY / 2, 0]);
  });
});

describe('a refused key', () => {
  const ASKED = { waitMs: 0, isKeyProbe: false };

  test('keeps everybody away, then lets exactly one find out', () => {
    const { cooldowns, learn, wait } = start();
    expect(cooldowns.admit()).toEqual(ASKED);
    learn('account', null, 'key');
    expect(cooldowns.admit()).toEqual({ waitMs: 30 * SECOND, isKeyProbe: false });
    wait(30 * SECOND);
    expect(cooldowns.admit()).toEqual({ waitMs: 0, isKeyProbe: true });
    expect(cooldowns.admit()).toEqual({ waitMs: SECOND, isKeyProbe: false });
    cooldowns.keyTaken();
    expect(cooldowns.admit()).toEqual(ASKED);
  });

  test('that is refused again keeps everybody away again', () => {
    const { cooldowns, learn, wait } = start();
    learn('account', 5 * SECOND, 'key');
    wait(5 * SECOND);
    cooldowns.admit();
    learn('account', 5 * SECOND, 'key');
    cooldowns.keyProbeEnded();
    expect(cooldowns.admit()).toEqual({ waitMs: 5 * SECOND, isKeyProbe: false });
  });

  test('lets the next one find out when the first could not', () => {
    const { cooldowns, learn, wait } = start();
    learn('account', 5 * SECOND, 'key');
    wait(5 * SECOND);
    cooldowns.admit();
    cooldowns.keyProbeEnded();
    expect(cooldowns.admit()).toEqual({ waitMs: 0, isKeyProbe: true });
  });
});
