import { describe, expect, test } from '@jest/globals';
import { createBreaker, type BreakerFailure } from '../../src/services/llm/breaker.ts';
import { ROUTER_SETTINGS, type BreakerSettings } from '../../src/services/llm/settings.ts';

const SECOND = 1000;

/** A breaker with a clock that stands still until it is moved, and a middling random number: no jitter. */
const start = (settings: Partial<BreakerSettings> = {}, random = (): number => 0.5, firstTokenMs = 10 * SECOND) => {
  let now = 1_000_000;
  const states: string[] = [];
  const breaker = createBreaker({
    clock: { now: () => now },
    random,
    settings: { ...ROUTER_SETTINGS.breaker, ...settings },
    firstTokenMs,
    onChange: (state) => states.push(state),
  });
  const failure = (tookMs: number, more: Partial<BreakerFailure> = {}): BreakerFailure => ({
    startedAt: now - tookMs,
    isTimeout: false,
    wasAlive: false,
    ...more,
  });
  return {
    breaker,
    states,
    failure,
    /** Fails fast, so often. */
    fail: (times = 1) => {
      for (let count = 0; count < times; count += 1) breaker.failed(failure(10));
    },
    wait: (ms: number) => void (now += ms),
    /** How long until it may be asked alone. */
    openFor: () => breaker.returnsAt() - now,
    /** Milliseconds until it wants a probe, to the tenth of a second. */
    untilProbe: () => {
      const from = now;
      while (!breaker.wantsProbe() && now - from < 600 * SECOND) now += 100;
      return now - from;
    },
  };
};

describe('a breaker opens', () => {
  test('at three failures in a row', () => {
    const { breaker, fail } = start();
    for (let count = 0; count < 4; count += 1) breaker.succeeded();
    fail(2);
    breaker.succeeded();
    fail(2);
    expect(breaker.state()).toBe('closed');
    fail();
    expect(breaker.state()).toBe('open');
  });

  test('when half of the last calls failed, from the fifth on', () => {
    const { breaker, fail } = start({ consecutiveFailures: 100 });
    fail(2);
    breaker.succeeded();
    breaker.succeeded();
    expect(breaker.state()).toBe('closed');
    fail();
    expect(breaker.state()).toBe('open');
  });

  test('by the last twenty calls only', () => {
    const { breaker, fail } = start({ consecutiveFailures: 100 });
    fail(3);
    for (let count = 0; count < 40; count += 1) breaker.succeeded();
    fail(9);
    expect(breaker.state()).toBe('closed');
    fail();
    expect(breaker.state()).toBe('open');
  });

  test('at once when a failure took long to notice, and for no less than that', () => {
    const { breaker, failure, openFor } = start();
    breaker.failed(failure(8 * SECOND));
    expect(breaker.state()).toBe('open');
    expect(openFor()).toBe(8 * SECOND);
  });

  test('at once by a short silence where patience is short, and not by a refusal that took no longer', () => {
    const { breaker, failure } = start({}, undefined, SECOND);
    breaker.failed(failure(900));
    expect(breaker.state()).toBe('closed');
    breaker.failed(failure(900, { isTimeout: true }));
    expect(breaker.state()).toBe('open');
  });

  test('not at once when a text broke off after a while', () => {
    const { breaker, failure } = start();
    breaker.failed(failure(30 * SECOND, { isTimeout: true, wasAlive: true }));
    expect(breaker.state()).toBe('closed');
  });
});

describe('an open breaker', () => {
  test('stays open for 5 s, doubling to 60 s, for whoever would ask the model alone', () => {
    const { breaker, fail, failure, wait, openFor } = start();
    fail(3);
    const waits: number[] = [];
    for (let count = 0; count < 6; count += 1) {
      waits.push(openFor() / SECOND);
      wait(openFor());
      breaker.beginProbe();
      breaker.probeFailed(failure(10));
    }
    expect(waits).toEqual([5, 10, 20, 40, 60, 60]);
  });

  test('wants a probe beside a healthy model every 5 s, since that costs nobody anything', () => {
    const { breaker, fail, failure, untilProbe } = start();
    fail(3);
    for (let count = 0; count < 5; count += 1) {
      expect(untilProbe()).toBe(5 * SECOND);
      breaker.beginProbe();
      breaker.probeFailed(failure(10));
    }
  });

  test.each([
    [0, 4],
    [1, 6],
  ])('spreads by a fifth: at random %d it is %d s', (random, seconds) => {
    const { fail, openFor } = start({}, () => random);
    fail(3);
    expect(openFor()).toBe(seconds * SECOND);
  });

  test('lets exactly one probe through at a time', () => {
    const { breaker, fail, wait } = start();
    fail(3);
    expect(breaker.wantsProbe()).toBe(false);
    wait(5 * SECOND);
    expect(breaker.wantsProbe()).toBe(true);
    breaker.beginProbe();
    expect([breaker.state(), breaker.wantsProbe()]).toEqual(['half-open', false]);
    wait(3600 * SECOND);
    expect(breaker.wantsProbe()).toBe(false);
  });

  test('closes at the first token of its probe, and remembers how often it opened until a whole answer', () => {
    const { breaker, fail, wait, openFor, states } = start();
    fail(3);
    wait(5 * SECOND);
    breaker.beginProbe();
    breaker.probeSucceeded();
    expect([breaker.state(), breaker.returnsAt()]).toEqual(['closed', 0]);
    fail(3);
    expect(openFor()).toBe(10 * SECOND);
    wait(10 * SECOND);
    breaker.beginProbe();
    breaker.probeSucceeded();
    breaker.succeeded();
    fail(3);
    expect(openFor()).toBe(5 * SECOND);
    expect(states).toEqual(['open', 'half-open', 'closed', 'open', 'half-open', 'closed', 'open']);
  });

  test('gives the place of a probe whose client left to the next request', () => {
    const { breaker, fail, wait } = start();
    fail(3);
    wait(5 * SECOND);
    breaker.beginProbe();
    breaker.probeAborted();
    expect([breaker.state(), breaker.wantsProbe()]).toEqual(['open', true]);
  });

  test('learns nothing from a call that began before it opened', () => {
    const { breaker, fail, failure, openFor } = start();
    fail(3);
    breaker.failed(failure(20 * SECOND, { isTimeout: true }));
    breaker.succeeded();
    expect([breaker.state(), openFor()]).toEqual(['open', 5 * SECOND]);
  });
});

describe('a model that is silent', () => {
  const silence = { isTimeout: true };

  test('is asked three times a minute, on a beat that runs from its first silent call', () => {
    const { breaker, failure, untilProbe, wait } = start({ jitter: 0 });
    breaker.failed(failure(10 * SECOND, silence));
    // Ten seconds went by until it was noticed, so ten are left.
    expect(untilProbe()).toBe(10 * SECOND);
    expect(breaker.beginProbe()).toBe(20 * SECOND);
    wait(20 * SECOND);
    breaker.probeFailed(failure(20 * SECOND, silence));
    // Nobody sent anything for three seconds: the beat stays.
    expect(breaker.wantsProbe()).toBe(true);
    wait(3 * SECOND);
    expect(breaker.beginProbe()).toBe(17 * SECOND);
  });

  test('is not asked twice at once after a pause without requests', () => {
    const { breaker, failure, wait } = start({ jitter: 0 });
    breaker.failed(failure(10 * SECOND, silence));
    wait(600 * SECOND);
    expect(breaker.beginProbe()).toBe(15 * SECOND);
  });

  test('keeps its beat when the endpoint ends the silent call itself', () => {
    const { breaker, failure, untilProbe, wait } = start({ jitter: 0 });
    breaker.failed(failure(10 * SECOND, silence));
    untilProbe();
    breaker.beginProbe();
    wait(8 * SECOND);
    // That is news: something there lives again.
    breaker.probeFailed(failure(8 * SECOND));
    expect(untilProbe()).toBe(5 * SECOND);
  });

  test('that was noticed quickly is left alone for its beat all the same', () => {
    const { breaker, failure, untilProbe } = start({ jitter: 0 });
    breaker.failed(failure(3 * SECOND, silence));
    expect(untilProbe()).toBe(17 * SECOND);
  });
});
