import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { createReadTick } from '../../src/services/llm/readTick.ts';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const readers = (count: number) => {
  const pace = createReadTick();
  const resumed: number[] = [];
  const readAll = (): boolean[] =>
    Array.from({ length: count }, (_reader, index) => pace.hold(() => void resumed.push(index)));
  return { readAll, resumed };
};

test('few answers are read as they come', () => {
  const { readAll, resumed } = readers(8);
  for (let tick = 0; tick < 5; tick += 1) {
    expect(readAll()).not.toContain(true);
    jest.advanceTimersByTime(20);
  }
  expect(resumed).toEqual([]);
  expect(jest.getTimerCount()).toBe(0);
});

test('many answers are held from the second tick on, and read on together, once each, within 50 ms', () => {
  const { readAll, resumed } = readers(200);
  expect(readAll()).not.toContain(true);
  jest.advanceTimersByTime(20);
  expect(readAll()).not.toContain(false);
  jest.advanceTimersByTime(49);
  expect(resumed).toEqual([]);
  jest.advanceTimersByTime(1);
  expect(resumed).toEqual(Array.from({ length: 200 }, (_reader, index) => index));
});

test('when most answers have ended, the others are read as they come again', () => {
  const { readAll } = readers(30);
  readAll();
  jest.advanceTimersByTime(20);
  expect(readAll()).not.toContain(false);
  jest.advanceTimersByTime(50);
  // A tick in which nobody read anything.
  jest.advanceTimersByTime(50);
  expect(readAll()).not.toContain(true);
});
