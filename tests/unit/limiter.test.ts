import { describe, expect, test } from '@jest/globals';
import { enforceLimit, ipKey, userKey } from '../../src/services/limits/index.ts';
import { createMemoryLimiter } from '../../src/services/limits/memoryLimiter.ts';

const MINUTE_MS = 60_000;

const setUp = (limit = 3, maxKeys?: number) => {
  const time = { now: 1_000_000 };
  const exceeded: string[] = [];
  const limiter = createMemoryLimiter({
    name: 'test',
    limit,
    windowMs: MINUTE_MS,
    clock: { now: () => time.now },
    onExceeded: (key) => exceeded.push(key),
    ...(maxKeys === undefined ? {} : { maxKeys }),
  });
  const hits = async (key: string, count: number) => {
    const states = [];
    for (let index = 0; index < count; index += 1) states.push(await limiter.hit(key));
    return states;
  };
  return { limiter, time, exceeded, hits };
};

describe('memory limiter', () => {
  test('hits, up to the limit, are allowed, and the next one is not', async () => {
    const { hits } = setUp();
    const states = await hits('a', 4);
    expect(states.map((state) => state.allowed)).toEqual([true, true, true, false]);
    expect(states.map((state) => state.remaining)).toEqual([2, 1, 0, 0]);
    expect(states.map((state) => state.used)).toEqual([1, 2, 3, 4]);
  });

  test('a window, from its first hit on, lasts its length and is not extended by refused hits', async () => {
    const { limiter, time, hits } = setUp();
    await hits('a', 3);
    time.now += MINUTE_MS - 1;
    expect(await limiter.hit('a')).toMatchObject({ allowed: false, resetMs: 1 });
    time.now += 1;
    expect(await limiter.hit('a')).toMatchObject({ allowed: true, remaining: 2, resetMs: MINUTE_MS });
  });

  test('keys, counted, do not know each other', async () => {
    const { limiter, hits } = setUp();
    await hits('a', 4);
    expect(await limiter.hit('b')).toMatchObject({ allowed: true, remaining: 2 });
  });

  test('a hit, taken back, is free again; a reset key begins anew', async () => {
    const { limiter, hits } = setUp();
    await hits('a', 3);
    await limiter.undo('a');
    expect((await limiter.hit('a')).allowed).toBe(true);
    expect((await limiter.hit('a')).allowed).toBe(false);
    await limiter.reset('a');
    expect(await limiter.hit('a')).toMatchObject({ allowed: true, remaining: 2 });
    await limiter.undo('never seen');
  });

  test('a limit of 0, asked, allows everything and never reports', async () => {
    const { hits, exceeded } = setUp(0);
    expect((await hits('a', 100)).every((state) => state.allowed)).toBe(true);
    expect(exceeded).toEqual([]);
  });

  test('a key over its limit, however often it comes, is reported once per window', async () => {
    const { time, hits, exceeded } = setUp();
    await hits('a', 10);
    time.now += MINUTE_MS;
    await hits('a', 10);
    expect(exceeded).toEqual(['a', 'a']);
  });

  test('of more keys than are remembered, those not seen for longest are forgotten, and the busy one is not', async () => {
    const { limiter, hits } = setUp(3, 10);
    await hits('busy', 4);
    for (let index = 0; index < 100; index += 1) {
      await limiter.hit(`key ${String(index)}`);
      expect((await limiter.hit('busy')).allowed).toBe(false);
    }
    expect((await limiter.hit('key 0')).remaining).toBe(2);
  });

  test('a refused hit, enforced, is RATE_LIMITED with the rest of the window', async () => {
    const { limiter, hits, time } = setUp();
    await hits('a', 3);
    time.now += 20_000;
    await expect(enforceLimit(limiter, 'a')).rejects.toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 40_000 });
    await expect(enforceLimit(limiter, 'b')).resolves.toBeUndefined();
  });
});

describe('keys', () => {
  test.each([
    ['192.0.2.7', 'ip:192.0.2.7'],
    ['::ffff:192.0.2.7', 'ip:192.0.2.7'],
    ['::FFFF:c000:207', 'ip:192.0.2.7'],
    ['2001:db8:1:22ff::1', 'ip:2001:db8:1:2200::/56'],
    ['2001:0DB8:0001:2200:ffff:ffff:ffff:ffff', 'ip:2001:db8:1:2200::/56'],
    ['2001:db8:1:2300::1', 'ip:2001:db8:1:2300::/56'],
    ['::1', 'ip:0:0:0:0::/56'],
    ['fe80::1%eth0', 'ip:fe80:0:0:0::/56'],
    ['unknown', 'ip:unknown'],
    ['', 'ip:'],
    [undefined, 'ip:'],
    ['x'.repeat(1000), `ip:${'x'.repeat(64)}`],
  ])('the address %j is counted as %j', (ip, key) => {
    expect(ipKey(ip)).toBe(key);
  });

  test('a user and an address of one spelling are two keys', () => {
    expect(userKey('1')).not.toBe(ipKey('1'));
  });
});
