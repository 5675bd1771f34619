import type { Clock } from '../lib/clock.ts';
import type { RawConnection } from './rawConnection.ts';

const CHECK_MS = 1_000;
/** Milliseconds of silence after which a client is pinged, and after which one that does not answer is dropped. */
const PING_AFTER_MS = 25_000;
const PONG_WITHIN_MS = 15_000;

/**
 * Pings clients that are silent, each in its own time, and drops those that stay silent: a connection that broke without a
 * word (a phone out of reach, a process that was stopped) is gone within 45 s.
 */
export const startRawHeartbeat = (
  connections: () => Iterable<RawConnection>,
  clock: Clock,
  onSilent: (connection: RawConnection) => void,
): NodeJS.Timeout => {
  const check = (connection: RawConnection, now: number): void => {
    const { pingedAt, heardAt } = connection;
    if (pingedAt !== null) {
      if (now - pingedAt >= PONG_WITHIN_MS) onSilent(connection);
      return;
    }
    // A clock that was set back must not make silence endless.
    if (now < heardAt) connection.heardAt = now;
    if (now - heardAt < PING_AFTER_MS) return;
    connection.pingedAt = now;
    connection.ws.ping();
  };

  return setInterval(() => {
    const now = clock.now();
    for (const connection of connections()) check(connection, now);
  }, CHECK_MS).unref();
};
