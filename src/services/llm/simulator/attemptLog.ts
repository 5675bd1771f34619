import type { ServerResponse } from 'node:http';
import type { Bill, Ending } from './books.ts';
import type { SimulatedRequest } from './request.ts';

/** One call that the simulator got. What is not known before its end is null until then. */
export interface SimulatedAttempt extends SimulatedRequest {
  /** The mode that was asked for: by header, script, configuration or the model's name. */
  readonly mode: string;
  /** The mode that was played: `once:500` plays `500`, then `ok`. Null: there is no such mode. */
  readonly played: string | null;
  /** 1 for the first call of this model since the start or the last reset. */
  readonly attempt: number;
  /** Milliseconds since the epoch. */
  readonly t: number;
  readonly generationId: string;
  /** The client's TCP port: calls with the same one came over the same connection. */
  readonly clientPort: number | null;
  /** When the client closed the connection before the answer was complete; null: it did not. */
  readonly abortedAt: number | null;
  /** When the first token was handed to the socket. */
  readonly firstTokenAt: number | null;
  readonly settledAt: number | null;
  /** HTTP status; null: there was none. */
  readonly status: number | null;
  /** Bytes of the answer, its headers included. */
  readonly bytesSent: number;
  readonly ending: Ending | null;
  /** What was billed, as in `/generation`. */
  readonly bill: Bill | null;
  /** Resolves when the answer was sent or the client went away. */
  readonly settled: Promise<unknown>;
}

/** What the log is told while a call runs. */
export interface AttemptEntry {
  firstToken(): void;
  settle(end: { readonly ending: Ending; readonly bill: Bill; readonly isAbandoned: boolean }): void;
}

export interface NewAttempt {
  readonly request: SimulatedRequest;
  readonly mode: string;
  readonly played: string | null;
  readonly attempt: number;
  readonly generationId: string;
}

export interface AttemptLog {
  readonly all: readonly SimulatedAttempt[];
  add(attempt: NewAttempt, res: ServerResponse): AttemptEntry;
  next(): Promise<SimulatedAttempt>;
  clear(): void;
}

/** What of a call changes while it runs. */
interface Course {
  firstTokenAt: number | null;
  abortedAt: number | null;
  settledAt: number | null;
  ending: Ending | null;
  bill: Bill | null;
}

/** What one connection wrote since; the socket is gone from the response once that has ended. */
const meterOf = ({ socket }: ServerResponse): (() => number) => {
  const before = socket?.bytesWritten ?? 0;
  return () => (socket?.bytesWritten ?? before) - before;
};

/**
 * @param maxLogged how many attempts are kept; the oldest is forgotten first
 * @param now milliseconds since the epoch
 */
export const createAttemptLog = (maxLogged: number, now: () => number): AttemptLog => {
  const all: SimulatedAttempt[] = [];
  let waiting: ((attempt: SimulatedAttempt) => void)[] = [];

  return {
    all,
    add: ({ request, ...attempt }, res) => {
      const course: Course = { firstTokenAt: null, abortedAt: null, settledAt: null, ending: null, bill: null };
      const settled = Promise.withResolvers<undefined>();
      const bytesSent = meterOf(res);
      let sent = 0;
      const logged: SimulatedAttempt = {
        ...request,
        ...attempt,
        t: now(),
        clientPort: res.socket?.remotePort ?? null,
        settled: settled.promise,
        get firstTokenAt() {
          return course.firstTokenAt;
        },
        get abortedAt() {
          return course.abortedAt;
        },
        get settledAt() {
          return course.settledAt;
        },
        get status() {
          return res.headersSent ? res.statusCode : null;
        },
        get bytesSent() {
          return course.settledAt === null ? bytesSent() : sent;
        },
        get ending() {
          return course.ending;
        },
        get bill() {
          return course.bill;
        },
      };
      all.push(logged);
      if (all.length > maxLogged) all.shift();
      for (const resolve of waiting) resolve(logged);
      waiting = [];
      return {
        firstToken: () => (course.firstTokenAt ??= now()),
        settle: ({ ending, bill, isAbandoned }) => {
          sent = bytesSent();
          course.settledAt = now();
          if (isAbandoned) course.abortedAt = course.settledAt;
          course.ending = ending;
          course.bill = bill;
          settled.resolve(undefined);
        },
      };
    },
    next: () => new Promise((resolve) => waiting.push(resolve)),
    clear: () => void all.splice(0),
  };
};

/** An attempt as JSON, for `GET /__sim/log`. */
export const attemptView = ({ settled: _settled, continuation, ...attempt }: SimulatedAttempt) => ({
  ...attempt,
  continuation: continuation === null ? null : { anchor: continuation.anchor, isPrefill: continuation.isPrefill },
});
