import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP proxy in front of a MongoDB that dies for its clients at a chosen write, as their process or their wire would. */
export interface WireProxy {
  /** The URI of a database behind the proxy, for a client that notices failures at once. */
  readonly uri: string;
  /** Whether the cut that was asked for has happened. */
  readonly isCut: boolean;
  /** Cuts every connection at the nth writing command from now: before the server sees it, or before its answer is seen. */
  cutAtWrite(nth: number, when: 'before' | 'after'): void;
  /** Cuts every connection now and takes no new ones. */
  cut(): void;
  /** Takes connections again, and forgets what it was told to cut. */
  mend(): void;
  close(): Promise<void>;
}

const WRITES = new Set(['insert', 'update', 'delete', 'findAndModify']);
const OP_MSG = 2013;
/** In an OP_MSG: the header (16 bytes), flags (4), the first section's kind (1), the document's length (4), a type (1). */
const NAME_AT = 26;

const isWrite = (message: Buffer): boolean => {
  if (message.length <= NAME_AT || message.readInt32LE(12) !== OP_MSG) return false;
  return WRITES.has(message.toString('latin1', NAME_AT, message.indexOf(0, NAME_AT)));
};

/** Calls `take` with each whole message of a stream; a message begins with its own length. */
const splitter = (take: (message: Buffer) => void) => {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk: Buffer): void => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 4 && rest.length >= rest.readInt32LE(0)) {
      const length = rest.readInt32LE(0);
      const message = rest.subarray(0, length);
      rest = rest.subarray(length);
      take(message);
    }
  };
};

const HOST = /^mongodb:\/\/([^/?@,:]+):(\d+)\/([^?]+?)(?:\?socketTimeoutMS=\d+&waitQueueTimeoutMS=\d+)?$/;

/** Whether a proxy can stand in front of this server: one host, no credentials, no options but the tests' own patience. */
export const canProxy = (uri: string): boolean => HOST.test(uri);

/** @param uri of a database on one server (`canProxy`) */
export const startWireProxy = async (uri: string): Promise<WireProxy> => {
  const [, host = '', port = '', database = ''] = HOST.exec(uri) ?? [];
  const sockets = new Set<Socket>();
  let isCut = false;
  let writesLeft = Infinity;
  let cutsAfter = false;

  const cut = (): void => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };

  const keep = (socket: Socket, other: Socket): void => {
    sockets.add(socket);
    socket
      .on('error', () => undefined)
      .on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
  };

  const server = createServer((client) => {
    if (isCut) {
      client.destroy();
      return;
    }
    const upstream = connect(Number(port), host);
    keep(client, upstream);
    keep(upstream, client);
    let isLastWords = false;
    const request = splitter((message) => {
      if (isCut) return;
      if (isWrite(message)) writesLeft -= 1;
      if (writesLeft > 0) {
        upstream.write(message);
      } else if (cutsAfter) {
        isLastWords = true;
        writesLeft = Infinity;
        upstream.write(message);
      } else {
        cut();
      }
    });
    client.on('data', request);
    upstream.on('data', (chunk: Buffer) => {
      if (isLastWords) cut();
      else client.write(chunk);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  const options = 'directConnection=true&serverSelectionTimeoutMS=300&heartbeatFrequencyMS=500';

  return {
    uri: `mongodb://127.0.0.1:${String(address.port)}/${database}?${options}`,
    get isCut() {
      return isCut;
    },
    cutAtWrite: (nth, when) => {
      writesLeft = nth;
      cutsAfter = when === 'after';
    },
    cut,
    mend: () => {
      isCut = false;
      writesLeft = Infinity;
    },
    close: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
};
