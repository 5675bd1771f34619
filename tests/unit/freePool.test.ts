import { describe, expect, test } from '@jest/globals';
import { createFreePool, isFree } from '../../src/services/llm/freePool.ts';

const RETURN = 61_000;

const start = (perMinute: number) => {
  let now = 1_000_000;
  const pool = createFreePool({ now: () => now }, { perMinute, returnMs: RETURN });
  return { pool, wait: (ms: number) => void (now += ms), inMs: () => Math.max(0, pool.nextAt() - now) };
};

describe('the free pool', () => {
  test('has as many tokens as may be spent in a minute, and each back a minute after it was', () => {
    const { pool, wait, inMs } = start(2);
    pool.take().spend();
    wait(1_000);
    expect(inMs()).toBe(0);
    pool.take().spend();
    expect(inMs()).toBe(RETURN - 1_000);
    wait(RETURN - 1_000);
    expect(inMs()).toBe(0);
    pool.take().spend();
    expect(inMs()).toBe(1_000);
  });

  test('counts from the call, not from the decision to make it', () => {
    const { pool, wait, inMs } = start(1);
    const token = pool.take();
    wait(10_000);
    expect(inMs()).toBe(RETURN);
    token.spend();
    expect(inMs()).toBe(RETURN);
    wait(RETURN - 1);
    expect(inMs()).toBe(1);
  });

  test('has a token back at once that was not spent, and only once', () => {
    const { pool, inMs } = start(2);
    const [first, second] = [pool.take(), pool.take()];
    expect(inMs()).toBe(RETURN);
    first.giveBack();
    first.giveBack();
    first.spend();
    expect(inMs()).toBe(0);
    pool.take();
    expect(inMs()).toBe(RETURN);
    second.spend();
    second.giveBack();
    expect(inMs()).toBe(RETURN);
  });

  test('promises a token that is not there yet to one alone, and has it back as it was when that one leaves', () => {
    const { pool, wait, inMs } = start(2);
    pool.take().spend();
    wait(1_000);
    pool.take().spend();
    wait(50_000);
    const promised = pool.take();
    expect(inMs()).toBe(11_000);
    promised.giveBack();
    expect(inMs()).toBe(10_000);
  });

  test('without a limit always has one', () => {
    const { pool } = start(0);
    for (let count = 0; count < 100; count += 1) pool.take().spend();
    expect(pool.nextAt()).toBe(0);
  });

  test('is of the models whose names end in :free', () => {
    expect(['x/y:free', 'x/y', 'free', 'x/free', 'x/y:freer'].map(isFree)).toEqual([true, false, false, false, false]);
  });
});
