import { describe, expect, test } from '@jest/globals';
import { createHealth, medianOf, type Health } from '../../src/services/llm/health.ts';
import { ROUTER_SETTINGS } from '../../src/services/llm/settings.ts';

const start = () => {
  let now = 1_000_000;
  const health = createHealth({ now: () => now }, ROUTER_SETTINGS);
  return { health, wait: (ms: number) => void (now += ms) };
};
const times = (count: number, run: () => void): void => {
  for (let done = 0; done < count; done += 1) run();
};
const withLives = (health: Health, ...all: number[]): Health => {
  for (const ms of all) health.alive(ms);
  return health;
};

test('the median of an even number lies between the two in the middle', () => {
  expect([medianOf([]), medianOf([5]), medianOf([1, 9, 2]), medianOf([1, 2, 4, 100])]).toEqual([null, 5, 2, 3]);
});

describe('the weight of a model', () => {
  test('is whole as long as nothing fails, and however slow all are', () => {
    const { health } = start();
    expect(health.factor(null)).toBe(1);
    times(50, () => health.succeeded());
    health.visible(5000);
    expect(health.factor(4000)).toBe(1);
  });

  test('halves with the first failure, and is never under 5 %', () => {
    const { health } = start();
    health.failed();
    expect(health.factor(null)).toBe(0.5);
    times(100, () => health.failed());
    expect(health.factor(null)).toBe(0.05);
  });

  test('forgets half of what failed in 30 s', () => {
    const { health, wait } = start();
    times(3, () => health.failed());
    expect(health.factor(null)).toBe(0.25);
    wait(30_000);
    expect(health.factor(null)).toBeCloseTo(1 / 2.5, 10);
    wait(3_600_000);
    expect(health.factor(null)).toBeCloseTo(1, 10);
  });

  test('falls for a first token that is late compared with the others', () => {
    const { health } = start();
    times(3, () => health.visible(8000));
    expect(health.factor(1000)).toBe(0.25);
    expect(health.factor(null)).toBe(0.25);
    expect(health.factor(3000)).toBe(0.75);
  });

  test('is told as a rate that failures and successes make', () => {
    const { health } = start();
    expect(health.successRate()).toBeNull();
    times(3, () => health.succeeded());
    health.failed();
    expect(health.successRate()).toBe(0.75);
  });
});

describe('the wait for a first token', () => {
  test('is the configured one until five answers are known', () => {
    expect(withLives(start().health, 10, 10, 10, 10).firstTokenTimeoutMs()).toBe(10_000);
  });

  test.each([
    ['never under 3 s', [10, 10, 10, 10, 10], 3000],
    ['three times what 95 of 100 take', [100, 100, 100, 100, 2000], 6000],
    ['never over 20 s', [9000, 9000, 9000, 9000, 9000], 20_000],
  ])('then it is %s', (_what, lives, ms) => {
    expect(withLives(start().health, ...lives).firstTokenTimeoutMs()).toBe(ms);
  });

  test('follows the last twenty answers, and forgets them after ten minutes', () => {
    const { health, wait } = start();
    times(5, () => health.alive(6000));
    times(20, () => health.alive(1500));
    expect(health.firstTokenTimeoutMs()).toBe(4500);
    wait(600_001);
    expect(health.firstTokenTimeoutMs()).toBe(10_000);
    health.visible(7);
    wait(600_001);
    expect(health.medianFirstTokenMs()).toBeNull();
  });

  test('others are preferred to a model that is silent for longer than usual, at least a second', () => {
    expect(start().health.suspectAfterMs()).toBe(2500);
    expect(withLives(start().health, 10, 10, 10, 10, 10).suspectAfterMs()).toBe(1000);
    expect(withLives(start().health, 2000, 2000, 2000, 2000, 2000).suspectAfterMs()).toBe(3000);
  });
});
