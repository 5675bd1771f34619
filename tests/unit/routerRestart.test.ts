import { describe, expect, test } from '@jest/globals';
import { createVirtualLlm, type Behaviour } from '../support/virtualLlm.ts';

const SECOND = 1000;
const TOTAL = 600 * SECOND;
const models = ['a', 'b', 'c', 'd'].map((slug) => ({ slug, weight: 1 }));
const whole = { isWhole: true } as const;

const start = (behaviours: Readonly<Record<string, Behaviour>>) =>
  createVirtualLlm((model) => behaviours[model] ?? { kind: 'answers', afterMs: 100 }, { models });

describe('an answer that nobody sees before its end', () => {
  test('is begun anew in what is left of the time of one answer', async () => {
    const llm = start({ a: { kind: 'breaks', afterMs: 100 * SECOND }, b: { kind: 'breaks', afterMs: 50 * SECOND } });
    llm.send('auto', whole);
    await llm.pass(200 * SECOND);
    expect(llm.calls.map(({ model, totalMs }) => [model, totalMs])).toEqual([
      ['a', TOTAL],
      ['b', TOTAL - 100 * SECOND],
      ['c', TOTAL - 150 * SECOND],
    ]);
    expect(llm.served).toMatchObject([{ model: 'c' }]);
  });

  test('is not, when that time is over', async () => {
    const llm = start({ a: { kind: 'breaks', afterMs: TOTAL - 100 } });
    llm.send('auto', whole);
    await llm.pass(TOTAL + SECOND);
    expect([llm.calls.map(({ model }) => model), llm.served]).toMatchObject([['a'], [{ model: null }]]);
  });

  test('is not, when nobody wants it any more', async () => {
    const llm = start({ a: { kind: 'breaks', afterMs: SECOND } });
    const client = new AbortController();
    llm.send('auto', { ...whole, signal: client.signal });
    await llm.pass(SECOND / 2);
    client.abort(new Error('gone'));
    await llm.pass(2 * SECOND);
    expect(llm.calls.map(({ model }) => model)).toEqual(['a']);
    expect(llm.attempts).toMatchObject([{ outcome: 'cancelled', reason: 'aborted' }]);
  });

  test('costs three attempts at most', async () => {
    const breaks = { kind: 'breaks', afterMs: SECOND } as const;
    const llm = start({ a: breaks, b: breaks, c: breaks });
    llm.send('auto', whole);
    await llm.pass(10 * SECOND);
    expect(llm.attempts.map(({ model, outcome }) => [model, outcome])).toEqual([
      ['a', 'failed'],
      ['b', 'failed'],
      ['c', 'failed'],
    ]);
  });
});

test('an answer that is shown as it comes has all of its time, and ends where it breaks off', async () => {
  const llm = start({ a: { kind: 'breaks', afterMs: SECOND } });
  llm.send();
  await llm.pass(10 * SECOND);
  expect(llm.calls).toMatchObject([{ model: 'a', totalMs: null }]);
});
