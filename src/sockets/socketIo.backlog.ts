import type { Server, Socket } from 'socket.io';
import { CLOSE, closeWebSocket, FRAME_COST_BYTES, MAX_QUEUE_BYTES, type Closable } from './outbound.ts';

/** Engine.IO's side of a socket: what leaves the process goes through it, whoever emits it. */
type Connection = Socket['conn'];

export interface Backlog {
  /** Drops this connection as soon as too much waits for its client. */
  watch(connection: Connection): void;
  /** The connection's client is gone: who waits for it need not any more. */
  forget(connection: Connection): void;
  /** Does something as soon as nothing waits for the client; rejects when it is gone. */
  whenDrained(connection: Connection, work: () => void): Promise<void>;
}

/** What waits for a client behind a batch of packets that is stuck. */
interface Waiting {
  bytes: number;
  readonly wakeUps: (() => void)[];
}

const isClosable = (value: unknown): value is Closable =>
  value !== null && typeof value === 'object' && 'close' in value && 'terminate' in value;

/**
 * A client that is slow keeps its connection's memory; the close code says why it is dropped. Its transport is closed, not
 * its Socket.IO session: then the client comes back by itself, and resumes.
 */
const drop = (connection: Connection): void => {
  const { transport } = connection;
  if ('socket' in transport && isClosable(transport.socket)) {
    closeWebSocket(transport.socket, CLOSE.slow.code, CLOSE.slow.reason);
  }
  connection.close(true);
};

/**
 * Bounds what waits for each Socket.IO client. Engine.IO hands all packets that wait to the transport at once and takes the
 * next batch when that one has left the process, so only what comes while a batch is stuck is counted: a client that keeps
 * up costs a look at `writable` for each packet, and nothing is kept for it.
 */
export const createBacklog = (
  engine: Server['engine'],
  onSlow: (connection: Connection, queuedBytes: number) => void,
): Backlog => {
  const backlogs = new WeakMap<Connection, Waiting>();

  const clear = (connection: Connection): void => {
    const backlog = backlogs.get(connection);
    backlogs.delete(connection);
    for (const wakeUp of backlog?.wakeUps ?? []) wakeUp();
  };
  engine.on('flush', clear);

  const onPacket = function (this: Connection, { data }: { readonly data?: unknown }): void {
    if (this.transport.writable) return;
    const backlog = backlogs.get(this) ?? { bytes: 0, wakeUps: [] };
    backlogs.set(this, backlog);
    backlog.bytes += FRAME_COST_BYTES + (typeof data === 'string' ? Buffer.byteLength(data) : 0);
    if (backlog.bytes <= MAX_QUEUE_BYTES) return;
    onSlow(this, backlog.bytes);
    drop(this);
  };

  return {
    // Once only, however often its client joins anew on the same connection.
    watch: (connection) => void connection.off('packetCreate', onPacket).on('packetCreate', onPacket),
    forget: clear,
    whenDrained: async (connection, work) => {
      for (let backlog = backlogs.get(connection); backlog; backlog = backlogs.get(connection)) {
        const { promise, resolve } = Promise.withResolvers<unknown>();
        backlog.wakeUps.push(() => resolve(null));
        await promise;
      }
      if (connection.readyState !== 'open') throw new Error('the client is gone');
      work();
    },
  };
};
