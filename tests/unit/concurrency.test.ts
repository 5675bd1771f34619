import { describe, expect, test } from '@jest/globals';
import { createGate } from '../../src/services/llm/concurrency.ts';

const never = new AbortController().signal;

describe('the gate of a model', () => {
  test('lets so many in, then the next as each leaves, in their order', async () => {
    const waits: number[] = [];
    const gate = createGate({ maxRunning: 2, maxQueued: 5, maxWaitMs: 10_000 }, (ms) => waits.push(ms));
    const [first, second] = [await gate.enter(never), await gate.enter(never)];
    expect(gate.isFull()).toBe(true);
    const order: string[] = [];
    const third = gate.enter(never).then((leave) => (order.push('third'), leave));
    const fourth = gate.enter(never).then((leave) => (order.push('fourth'), leave));
    first();
    first();
    const leaveThird = await third;
    expect([order, gate.isFull()]).toEqual([['third'], true]);
    second();
    (await fourth)();
    leaveThird();
    expect([order, gate.isFull(), waits.length]).toEqual([['third', 'fourth'], false, 2]);
  });

  test('refuses who comes when the line is full, and who has waited too long, with a time to come back', async () => {
    const gate = createGate({ maxRunning: 1, maxQueued: 1, maxWaitMs: 20 }, () => undefined);
    const leave = await gate.enter(never);
    const waiting = gate.enter(never);
    await expect(gate.enter(never)).rejects.toMatchObject({ kind: 'unavailable', retryAfterMs: 1000 });
    await expect(waiting).rejects.toMatchObject({ kind: 'unavailable', retryAfterMs: 1000 });
    leave();
    expect(gate.isFull()).toBe(false);
  });

  test('loses who leaves the line, and gives the place to the next', async () => {
    const gate = createGate({ maxRunning: 1, maxQueued: 5, maxWaitMs: 10_000 }, () => undefined);
    const leave = await gate.enter(never);
    const controller = new AbortController();
    const gone = gate.enter(controller.signal);
    const next = gate.enter(never);
    controller.abort(new Error('left'));
    await expect(gone).rejects.toThrow('left');
    leave();
    (await next)();
    expect(gate.isFull()).toBe(false);
  });

  test('gives no place to who leaves the line in the moment in which one comes free', async () => {
    const gate = createGate({ maxRunning: 1, maxQueued: 5, maxWaitMs: 10_000 }, () => undefined);
    const leave = await gate.enter(never);
    const controller = new AbortController();
    const gone = gate.enter(controller.signal);
    const next = gate.enter(never);
    controller.abort(new Error('left'));
    leave();
    await expect(gone).rejects.toThrow('left');
    (await next)();
    expect(gate.isFull()).toBe(false);
  });
});
