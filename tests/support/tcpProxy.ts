import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** What the wire does to the bytes that a server sends on one connection. */
export interface WireFault {
  /** Bytes that still arrive; then the connection is broken. */
  readonly cutAfterBytes: number;
  /** `close` looks like a proxy that gave up, `reset` like a machine that is gone, `freeze` like a dead radio link. */
  readonly how: 'close' | 'reset' | 'freeze';
  /** Milliseconds by which every packet is late. */
  readonly delayMs: number;
}

/** A bad wire in front of a server. */
export interface TcpProxy {
  readonly url: string;
  /** How many connections were broken on purpose. */
  readonly cuts: number;
  /** Breaks whatever is open, and takes no new connection until `mend`. */
  blackout(): void;
  mend(): void;
  close(): Promise<void>;
}

/** How long a frozen connection stays: a client that does not notice itself would wait for ever. */
const FREEZE_MS = 200;

/** @param faultOf decides for each new connection; null: it is a good one */
export const startTcpProxy = async (target: string, faultOf: () => WireFault | null): Promise<TcpProxy> => {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let cuts = 0;
  let isDark = false;

  const keep = (socket: Socket, other: Socket): void => {
    sockets.add(socket);
    socket
      .on('error', () => undefined)
      .on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
  };

  const breakIt = (client: Socket, how: WireFault['how']): void => {
    cuts += 1;
    if (how === 'close') client.destroy();
    else if (how === 'reset') client.resetAndDestroy();
    else setTimeout(() => client.destroy(), FREEZE_MS).unref();
  };

  /** Hands on what the server sends, until the fault's number of bytes is reached, at any byte of any frame. */
  const relay = (client: Socket, fault: WireFault): ((chunk: Buffer) => void) => {
    let left = fault.cutAfterBytes;
    let isBroken = false;
    return (chunk) => {
      if (isBroken) return;
      const part = chunk.subarray(0, left);
      left -= part.length;
      isBroken = left <= 0;
      const isLast = isBroken;
      setTimeout(() => {
        if (client.destroyed) return;
        if (isLast) client.write(part, () => breakIt(client, fault.how));
        else client.write(part);
      }, fault.delayMs);
    };
  };

  const server = createServer((client) => {
    if (isDark) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(Number(port), hostname);
    keep(client, upstream);
    keep(upstream, client);
    client.pipe(upstream);
    const fault = faultOf();
    if (fault) upstream.on('data', relay(client, fault));
    else upstream.pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${String(address.port)}`,
    get cuts() {
      return cuts;
    },
    blackout: () => {
      isDark = true;
      for (const socket of sockets) socket.resetAndDestroy();
    },
    mend: () => {
      isDark = false;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
};
