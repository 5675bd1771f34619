import type { ServerResponse } from 'node:http';
import type { SimulatedRequest } from './exchange.ts';

/** One call that the simulator got. */
export interface SimulatedAttempt extends SimulatedRequest {
  /** The mode that it played. */
  readonly mode: string;
  /** Milliseconds since the epoch. */
  readonly t: number;
  /** The client's TCP port: calls with the same one came over the same connection. */
  readonly clientPort: number | null;
  /** When the client closed the connection before the answer was complete; null: it did not. */
  readonly abortedAt: number | null;
  /** Resolves when the answer was sent or the client went away. */
  readonly settled: Promise<void>;
}

export interface AttemptLog {
  readonly all: readonly SimulatedAttempt[];
  add(request: SimulatedRequest, mode: string, res: ServerResponse): void;
  next(): Promise<SimulatedAttempt>;
}

/** @param maxLogged how many attempts are kept; the oldest is forgotten first */
export const createAttemptLog = (maxLogged: number): AttemptLog => {
  const all: SimulatedAttempt[] = [];
  let waiting: ((attempt: SimulatedAttempt) => void)[] = [];

  return {
    all,
    add: (request, mode, res) => {
      let abortedAt: number | null = null;
      const settled = new Promise<void>((resolve) => {
        res.on('close', () => {
          if (!res.writableFinished) abortedAt = Date.now();
          resolve();
        });
      });
      const attempt: SimulatedAttempt = {
        ...request,
        mode,
        t: Date.now(),
        clientPort: res.socket?.remotePort ?? null,
        settled,
        get abortedAt() {
          return abortedAt;
        },
      };
      all.push(attempt);
      if (all.length > maxLogged) all.shift();
      for (const resolve of waiting) resolve(attempt);
      waiting = [];
    },
    next: () => new Promise((resolve) => waiting.push(resolve)),
  };
};
