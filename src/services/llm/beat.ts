/** Below so many open streams nobody waits: each piece goes on as it comes. */
const FEW_STREAMS = 8;
/** Milliseconds between two beats: one for each open stream, and never more than the native doors' own tick. */
const MS_PER_STREAM = 1;
const MAX_MS = 50;

/**
 * Wakes the readers of many streams together, so that a busy node handles several tokens of a stream in one step, and
 * sends them in one write, instead of each for itself.
 */
export interface Beat {
  /** A stream is read in beats from now on; returns how it ends, which more than once does nothing. */
  enter(): () => void;
  /** Calls back at the next beat, or at once where few streams are open. */
  next(wake: () => void): void;
}

export const createBeat = (): Beat => {
  let streams = 0;
  let waiting: (() => void)[] = [];

  const beat = (): void => {
    const due = waiting;
    waiting = [];
    for (const wake of due) wake();
  };

  return {
    enter: () => {
      let isOpen = true;
      streams += 1;
      return () => {
        if (isOpen) streams -= 1;
        isOpen = false;
      };
    },
    next: (wake) => {
      if (streams < FEW_STREAMS) {
        wake();
        return;
      }
      waiting.push(wake);
      if (waiting.length === 1) setTimeout(beat, Math.min(streams * MS_PER_STREAM, MAX_MS));
    },
  };
};
