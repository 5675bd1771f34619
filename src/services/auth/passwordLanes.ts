import { AppError } from '../../lib/errors.ts';

/**
 * Whose password work it is. `known`: somebody who has shown more than a name (a known device, a login, the right password);
 * `open`: anybody. Open work waits for known work, and fills no place of it: who guesses under many names keeps no owner out.
 */
export type Lane = 'known' | 'open';

export interface LaneOptions {
  /** How many tasks run at once. */
  readonly running: number;
  /** How many wait, in each lane. */
  readonly waiting: number;
  /** What who comes too many is told, in milliseconds. */
  readonly retryAfterMs: number;
}

/** Runs a task when its turn has come. @throws AppError `RATE_LIMITED` when too many of its lane wait */
export type RunInLane = <T>(lane: Lane, task: () => Promise<T>) => Promise<T>;

export const createLanes = ({ running, waiting, retryAfterMs }: LaneOptions): RunInLane => {
  const lanes: Readonly<Record<Lane, (() => void)[]>> = { known: [], open: [] };
  let free = running;

  const run = async <T>(task: () => Promise<T>): Promise<T> => {
    try {
      return await task();
    } finally {
      const next = lanes.known.shift() ?? lanes.open.shift();
      if (next) next();
      else free += 1;
    }
  };

  return async (lane, task) => {
    if (free > 0) {
      free -= 1;
      return run(task);
    }
    if (lanes[lane].length >= waiting) {
      throw new AppError('RATE_LIMITED', { detail: 'Too many logins at once', retryAfterMs });
    }
    return new Promise((resolve, reject) => {
      lanes[lane].push(() => void run(task).then(resolve, reject));
    });
  };
};
