import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { PassThrough } from 'node:stream';
import { createBeat, type Beat } from '../../src/services/llm/beat.ts';
import { createPartQueue } from '../../src/services/llm/partQueue.ts';
import { openReading } from '../../src/services/llm/streamReader.ts';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const enter = (beat: Beat, streams: number): (() => void)[] => Array.from({ length: streams }, () => beat.enter());

describe('the beat', () => {
  test('keeps nobody waiting while few streams are open, those that have left not counted', () => {
    const beat = createBeat();
    const leave = enter(beat, 8);
    leave[0]?.();
    leave[0]?.();
    const wake = jest.fn();
    beat.next(wake);
    expect(wake).toHaveBeenCalledTimes(1);
    // Leaving twice counted once.
    beat.enter();
    beat.next(wake);
    expect(wake).toHaveBeenCalledTimes(1);
  });

  test.each([
    [8, 8],
    [40, 40],
    [500, 50],
  ])('wakes %d streams together, after %d ms', (streams, ms) => {
    const beat = createBeat();
    enter(beat, streams);
    const early = jest.fn();
    const late = jest.fn();
    beat.next(early);
    jest.advanceTimersByTime(ms - 1);
    beat.next(late);
    expect([early, late].map((wake) => wake.mock.calls.length)).toEqual([0, 0]);
    jest.advanceTimersByTime(1);
    expect([early, late].map((wake) => wake.mock.calls.length)).toEqual([1, 1]);
    jest.advanceTimersByTime(1000);
    expect(early).toHaveBeenCalledTimes(1);
  });

  test('whoever waits again when it is woken is woken at the next one', () => {
    const beat = createBeat();
    enter(beat, 10);
    let beats = 0;
    const again = (): void => {
      beats += 1;
      beat.next(again);
    };
    beat.next(again);
    jest.advanceTimersByTime(100);
    expect(beats).toBe(10);
  });
});

describe('a queue that is read in beats', () => {
  const createScheduled = () => {
    const wakes: (() => void)[] = [];
    const queue = createPartQueue((wake) => wakes.push(wake));
    const beat = (): void => wakes.splice(0).forEach((wake) => wake());
    return { queue, beat, scheduled: () => wakes.length };
  };
  const delta = (text: string) => ({ type: 'delta', text }) as const;

  test('hands out what came between two beats as one text, and tool calls and reasoning in their places', async () => {
    const { queue, beat, scheduled } = createScheduled();
    const ready = queue.ready();
    for (const text of ['a', 'b']) queue.push(delta(text));
    queue.push({ type: 'reasoning', text: 'hm' });
    queue.push({ type: 'tool_calls', calls: [{ index: 0 }] });
    for (const text of ['c', 'd']) queue.push(delta(text));
    expect(scheduled()).toBe(1);
    beat();
    expect(await ready).toBe(true);
    expect(queue.take()).toEqual([
      delta('ab'),
      { type: 'reasoning', text: 'hm' },
      { type: 'tool_calls', calls: [{ index: 0 }] },
      delta('cd'),
    ]);
  });

  test('does not wait for the beat with the end, nor with so much text that it is worth a step', async () => {
    const { queue, scheduled } = createScheduled();
    const long = queue.ready();
    queue.push(delta('x'.repeat(64 * 1024)));
    expect(await long).toBe(true);
    expect(scheduled()).toBe(0);
    queue.take();
    const end = queue.ready();
    queue.push(delta('y'));
    queue.push({ type: 'finish', reason: 'stop' });
    queue.close();
    expect(await end).toBe(true);
    expect(queue.take()).toHaveLength(2);
    expect(await queue.ready()).toBe(false);
  });

  test('a beat for what was taken long ago ends nothing', async () => {
    const { queue, beat } = createScheduled();
    const first = queue.ready();
    queue.push(delta('a'));
    queue.push(delta('x'.repeat(64 * 1024)));
    expect(await first).toBe(true);
    queue.take();
    let isReady: boolean | null = null;
    const second = queue.ready().then((ready) => (isReady = ready));
    beat();
    await jest.advanceTimersByTimeAsync(1);
    expect(isReady).toBeNull();
    queue.push(delta('b'));
    beat();
    expect(await second).toBe(true);
    expect(queue.take()).toEqual([delta('b')]);
  });
});

describe('an answer that is read in beats', () => {
  const quiet = { headersArrived: jest.fn(), tokenArrived: jest.fn(), pause: jest.fn(), stop: jest.fn() };
  const delta = (content: string): string => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;

  test('is shown its first visible text at once, and waits with what follows', async () => {
    jest.useRealTimers();
    const waiting: (() => void)[] = [];
    const leave = jest.fn();
    const body = Object.assign(new PassThrough(), { headers: {} });
    const reading = openReading(body as never, {
      signal: new AbortController().signal,
      watchdog: quiet,
      beat: { enter: () => leave, next: (wake) => waiting.push(wake) },
      toError: () => new Error('in band'),
      onAnswered: () => undefined,
    });
    for (const text of [' ', '\n', 'a']) {
      const ready = reading.ready();
      body.write(delta(text));
      expect(await ready).toBe(true);
      expect(reading.take()).toEqual([{ type: 'delta', text }]);
    }
    expect(waiting).toHaveLength(0);
    const ready = reading.ready();
    for (const text of ['b', 'c']) {
      const read = new Promise((resolve) => body.once('data', resolve));
      body.write(delta(text));
      await read;
    }
    expect(waiting).toHaveLength(1);
    waiting[0]?.();
    expect(await ready).toBe(true);
    expect(reading.take()).toEqual([{ type: 'delta', text: 'bc' }]);
    reading.stop();
    expect(leave).toHaveBeenCalledTimes(1);
  });
});
