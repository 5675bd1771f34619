import type { ReadPace } from './provider.ts';

/** Milliseconds between two reads of an answer when few run, and at most: 20 times a second looks like a stream. */
const TICK_MS = 20;
const MAX_TICK_MS = 50;
/** The tick grows with the answers that had something in the last one, so that each costs fewer reads and writes. */
const TICK_MS_PER_READ = 0.6;
/** With fewer reads in a tick there is nothing to gain: every answer is read as it comes. */
const MIN_READS = 20;

/**
 * A pace for answers that are passed on as they come: while few are read, at once; while many are, all of them together
 * once a tick. The first token of an answer never waits.
 */
export const createReadTick = (): ReadPace => {
  let held: (() => void)[] = [];
  let isBusy = false;
  let startedAt = performance.now();
  let tickMs = TICK_MS;
  let reads = 0;
  let timer: NodeJS.Timeout | null = null;

  const turn = (now: number): void => {
    isBusy = reads >= MIN_READS;
    tickMs = Math.min(MAX_TICK_MS, TICK_MS + reads * TICK_MS_PER_READ);
    reads = 0;
    startedAt = now;
  };
  const onTick = (): void => {
    timer = null;
    turn(performance.now());
    const resumes = held;
    held = [];
    for (const resume of resumes) resume();
  };

  return {
    hold: (resume) => {
      const now = performance.now();
      if (timer === null && now - startedAt >= tickMs) turn(now);
      reads += 1;
      if (!isBusy) return false;
      held.push(resume);
      timer ??= setTimeout(onTick, Math.max(0, Math.ceil(tickMs - (now - startedAt))));
      return true;
    },
  };
};
