import { limitError } from './limiter.ts';

/** How many sockets and streams a user has open on this node, whatever the door. */
export interface ConnectionCap {
  /**
   * Takes a place for one more. Returns the function that gives it back; again is harmless.
   * @throws AppError `RATE_LIMITED` when all are taken
   */
  enter(userId: string): () => void;
}

/** A place may be free again at any moment: a client that was dropped comes back about now. */
const RETRY_AFTER_MS = 5_000;

/** @param max places per user; 0: as many as they like */
export const createConnectionCap = (max: number, onExceeded: (userId: string) => void): ConnectionCap => {
  const counts = new Map<string, number>();

  const leave = (userId: string): void => {
    const count = counts.get(userId) ?? 0;
    if (count > 1) counts.set(userId, count - 1);
    else counts.delete(userId);
  };

  return {
    enter: (userId) => {
      const count = counts.get(userId) ?? 0;
      if (max > 0 && count >= max) {
        onExceeded(userId);
        throw limitError(RETRY_AFTER_MS);
      }
      counts.set(userId, count + 1);
      let isIn = true;
      return () => {
        if (isIn) leave(userId);
        isIn = false;
      };
    },
  };
};
