import { describe, expect, test } from '@jest/globals';
import { createVirtualLlm, type Behaviour, type VirtualLlm } from '../support/virtualLlm.ts';

const SECOND = 1000;
const OUTAGE = 60 * SECOND;
const PACE = 3 * SECOND;
const REQUESTS = 20;
const HEALTHY: Behaviour = { kind: 'answers', afterMs: 200 };

const callsTo = ({ calls }: VirtualLlm, model: string, from: number, to: number): number =>
  calls.filter((call) => call.model === model && call.at >= from && call.at < to).length;

interface Scenario {
  readonly sick: Behaviour;
  /** Answers of each model before. */
  readonly before?: number;
  /** When in the outage the first request comes. */
  readonly offsetMs?: number;
  readonly models?: readonly string[];
  readonly random?: () => number;
}

/** Twenty requests over an outage of a minute of model `a`, and what follows until it answers again. */
const outage = async ({ sick, before = 0, offsetMs = 0, models = ['a', 'b'], random }: Scenario) => {
  let from = Infinity;
  const llm = createVirtualLlm((model, now) => (model === 'a' && now >= from && now < from + OUTAGE ? sick : HEALTHY), {
    models: models.map((slug) => ({ slug, weight: 1 })),
    ...(random ? { random } : {}),
  });
  for (let count = 0; count < before * models.length; count += 1) {
    llm.send();
    await llm.pass(SECOND);
  }
  const start = llm.now();
  from = start;
  await llm.pass(offsetMs);
  const known = llm.served.length;
  for (let count = 0; count < REQUESTS; count += 1) {
    llm.send();
    await llm.pass(PACE);
  }
  await llm.pass(Math.max(0, start + OUTAGE - llm.now()));
  const healedAt = llm.now();
  const served = llm.served.slice(known);
  while (llm.now() < healedAt + 90 * SECOND && !llm.served.some(({ at, model }) => model === 'a' && at >= healedAt)) {
    llm.send();
    await llm.pass(SECOND / 2);
  }
  const back = llm.served.find(({ at, model }) => model === 'a' && at >= healedAt);
  return {
    served: served.filter(({ model }) => model !== null).length,
    waited: served.filter(({ waitedMs }) => waitedMs > SECOND).length,
    calls: callsTo(llm, 'a', start, start + OUTAGE),
    backAfterMs: back ? back.at - healedAt : Infinity,
  };
};

describe('a minute of silence of one of two models', () => {
  const sick: Behaviour = { kind: 'silent' };

  test.each([0, 500, 1000, 1500, 2000, 2500])(
    'noticed %i ms after it began: one of twenty waits, three calls, back within 5 s',
    async (offsetMs) => {
      for (const before of [0, 10]) {
        const seen = await outage({ sick, before, offsetMs });
        expect(seen).toMatchObject({ served: REQUESTS, waited: 1 });
        expect(seen.calls).toBeLessThanOrEqual(3);
        expect(seen.backAfterMs).toBeLessThanOrEqual(5 * SECOND);
      }
    },
  );

  test.each([0, 0.999])('holds with the jitter at its bounds: random %d', async (value) => {
    const seen = await outage({ sick, before: 10, random: () => value });
    expect(seen).toMatchObject({ served: REQUESTS, waited: 1, calls: 3 });
    expect(seen.backAfterMs).toBeLessThanOrEqual(5 * SECOND);
  });

  test('of one of three models holds as well', async () => {
    const seen = await outage({ sick, before: 10, models: ['a', 'b', 'c'] });
    expect(seen).toMatchObject({ served: REQUESTS, waited: 1 });
    expect(seen.calls).toBeLessThanOrEqual(3);
    expect(seen.backAfterMs).toBeLessThanOrEqual(5 * SECOND);
  });
});

describe('a minute of errors of one of two models', () => {
  test('is seen by nobody, and the model is back within 5 s', async () => {
    const seen = await outage({ sick: { kind: 'fails', afterMs: 50 } });
    expect(seen).toMatchObject({ served: REQUESTS, waited: 0 });
    expect(seen.backAfterMs).toBeLessThanOrEqual(6 * SECOND);
    // Three to open it, then one every five seconds.
    expect(seen.calls).toBeLessThanOrEqual(3 + 12);
  });
});

describe('a probe', () => {
  const models = ['a', 'b'].map((slug) => ({ slug, weight: 1 }));

  /** Model `a` is open and due, `b` as told. */
  const withSickModel = async (a: () => Behaviour, b: Behaviour = HEALTHY): Promise<VirtualLlm> => {
    let isReady = false;
    const llm = createVirtualLlm(
      (model) => (model === 'b' ? (isReady ? b : HEALTHY) : isReady ? a() : { kind: 'fails', afterMs: 0 }),
      { models },
    );
    while (llm.router.models()[0]?.state !== 'open') {
      llm.send();
      await llm.pass(300);
    }
    expect(llm.router.models()).toMatchObject([
      { state: 'open', share: 0 },
      { state: 'healthy', share: 1 },
    ]);
    await llm.pass(5 * SECOND);
    isReady = true;
    return llm;
  };

  test('is one however many requests come at once, and costs none of them anything', async () => {
    const llm = await withSickModel(() => ({ kind: 'silent' }));
    const from = llm.now();
    for (let count = 0; count < 10; count += 1) llm.send();
    await llm.pass(SECOND);
    expect(callsTo(llm, 'a', from, Infinity)).toBe(1);
    expect(llm.served.slice(-10)).toEqual(Array.from({ length: 10 }, () => ({ at: from, model: 'b', waitedMs: 200 })));
    expect(llm.router.models()).toMatchObject([{ state: 'half-open' }, {}]);
  });

  test('that answers first is the answer, and the other call is ended', async () => {
    const llm = await withSickModel(() => ({ kind: 'answers', afterMs: 100 }), { kind: 'answers', afterMs: 3000 });
    llm.send();
    await llm.pass(SECOND);
    expect(llm.served.at(-1)).toMatchObject({ model: 'a', waitedMs: 100 });
    expect(llm.router.models()).toMatchObject([{ state: 'degraded' }, {}]);
    expect(llm.attempts.slice(-2)).toMatchObject([
      { number: 1, model: 'b', chosenBy: 'message', outcome: 'cancelled', reason: 'hedged' },
      { number: 2, model: 'a', chosenBy: 'probe', outcome: 'complete' },
    ]);
  });

  test('that answers second has shown that its model is well, and is ended', async () => {
    const llm = await withSickModel(() => ({ kind: 'answers', afterMs: 4000 }));
    llm.send();
    await llm.pass(SECOND);
    expect(llm.served.at(-1)).toMatchObject({ model: 'b', waitedMs: 200 });
    await llm.pass(4 * SECOND);
    expect(llm.router.models()).toMatchObject([{ state: 'degraded' }, {}]);
    expect(llm.attempts.at(-1)).toMatchObject({ number: 2, model: 'a', outcome: 'cancelled', reason: 'probed' });
  });

  test('answers when the model that it was asked beside fails', async () => {
    const llm = await withSickModel(() => ({ kind: 'answers', afterMs: 2000 }), { kind: 'fails', afterMs: 100 });
    llm.send();
    await llm.pass(3 * SECOND);
    expect(llm.served.at(-1)).toMatchObject({ model: 'a', waitedMs: 2000 });
  });

  test('that fails as well leaves the first failure to tell', async () => {
    const llm = await withSickModel(() => ({ kind: 'fails', afterMs: 2000 }), { kind: 'fails', afterMs: 100 });
    llm.send();
    await llm.pass(3 * SECOND);
    expect(llm.served.at(-1)).toMatchObject({ model: null, waitedMs: 2000 });
    expect(llm.router.models()).toMatchObject([{ state: 'open' }, {}]);
  });
});

describe('when every model is open', () => {
  const fails: Behaviour = { kind: 'fails', afterMs: 0 };
  const models = [{ slug: 'a', weight: 1 }];

  test('nobody is asked, and clients are told when to come back', async () => {
    const llm = createVirtualLlm(() => fails, { models });
    for (let count = 0; count < 5; count += 1) {
      llm.send();
      await llm.pass(100);
    }
    expect(llm.calls).toHaveLength(3);
    expect(llm.router.models()).toMatchObject([{ state: 'open', next: false, share: 0 }]);
    const { cooldownUntil } = llm.router.models()[0]!;
    expect((cooldownUntil?.getTime() ?? 0) - llm.now()).toBeGreaterThan(4 * SECOND);
  });

  test('who comes within the last second waits for the first that returns', async () => {
    let isWell = false;
    const llm = createVirtualLlm(() => (isWell ? HEALTHY : fails), { models });
    for (let count = 0; count < 3; count += 1) llm.send();
    await llm.pass(4200);
    isWell = true;
    llm.send();
    llm.send();
    await llm.pass(3 * SECOND);
    // One found out; the other waited for that, and then asked as well.
    expect(llm.served.slice(-2)).toMatchObject([{ model: 'a' }, { model: 'a' }]);
    expect(llm.router.models()).toMatchObject([{ state: 'degraded' }]);
  });
});

test('a model that is silent just now is not given to the next request', async () => {
  const llm = createVirtualLlm((model) => (model === 'a' ? { kind: 'answers', afterMs: 8000 } : HEALTHY), {
    models: ['a', 'b'].map((slug) => ({ slug, weight: 1 })),
  });
  llm.send();
  await llm.pass(SECOND);
  llm.send();
  await llm.pass(2 * SECOND);
  for (let count = 0; count < 4; count += 1) {
    llm.send();
    await llm.pass(SECOND);
  }
  expect(callsTo(llm, 'a', 0, Infinity)).toBe(1);
});
