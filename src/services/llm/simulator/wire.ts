import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { constants, createGzip } from 'node:zlib';

/** How the bytes of an event stream are dressed. Each of these is something that an endpoint, or what is between, does. */
export interface Framing {
  readonly lineEnd?: '\r\n';
  /** Every byte is a packet of its own, with so many milliseconds after it; 0: a turn of the event loop. */
  readonly byteGapMs?: number;
  readonly isSpaceless?: boolean;
  /** JSON over several `data:` lines. */
  readonly isMultiLine?: boolean;
  readonly eventName?: string;
  readonly hasByteOrderMark?: boolean;
  /** The write that this offset of the body falls into is made in two, with a pause between. */
  readonly splitAt?: number;
  /** All in one write, at the end. */
  readonly isCoalesced?: boolean;
  readonly isGzipped?: boolean;
}

/** Where an exchange puts what it says: an event stream, or one JSON document at the end. */
export interface Wire {
  open(): void;
  /** Bytes as they are; resolves when they were handed to the socket or the client is gone. */
  raw(text: string): Promise<void>;
  frame(body: Readonly<Record<string, unknown>>, eventName?: string): Promise<void>;
  end(): void;
}

export interface WireOptions {
  readonly generationId: string;
  readonly goneSignal: AbortSignal;
}

/** Long enough that the two halves are two reads to a client that is awake. */
const SPLIT_GAP_MS = 2;

const HEADERS = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' } as const;

/** Writes a body as an event. Chosen once per answer, since the plain one is on the path of every token. */
const framer = (framing: Framing): ((body: Readonly<Record<string, unknown>>, eventName?: string) => string) => {
  const lineEnd = framing.lineEnd ?? '\n';
  const field = framing.isSpaceless ? 'data:' : 'data: ';
  return (body, eventName = framing.eventName) => {
    const json = framing.isMultiLine ? JSON.stringify(body, null, 1) : JSON.stringify(body);
    const name = eventName === undefined ? '' : `event: ${eventName}${lineEnd}`;
    const data = framing.isMultiLine ? json.replaceAll('\n', `${lineEnd}${field}`) : json;
    return `${name}${field}${data}${lineEnd}${lineEnd}`;
  };
};

const compressed = (res: ServerResponse): Writable => {
  const gzip = createGzip({ flush: constants.Z_SYNC_FLUSH });
  gzip.pipe(res);
  res.on('close', () => gzip.destroy());
  return gzip;
};

/** An event stream, dressed as the framing says. */
export const createStreamWire = (res: ServerResponse, framing: Framing, options: WireOptions): Wire => {
  const { goneSignal } = options;
  const toFrame = framer(framing);
  const out = framing.isGzipped ? compressed(res) : res;
  const held: Buffer[] = [];
  /** Goes out with the first bytes. */
  let mark = framing.hasByteOrderMark ? '\uFEFF' : '';
  let position = 0;

  const send = async (bytes: Buffer): Promise<void> => {
    if (res.destroyed || out.write(bytes)) return;
    await once(out, 'drain', { signal: goneSignal }).catch(() => undefined);
  };
  const drip = async (bytes: Buffer, gapMs: number): Promise<void> => {
    for (let at = 0; at < bytes.length && !goneSignal.aborted; at += 1) {
      await send(bytes.subarray(at, at + 1));
      if (gapMs === 0) await nextTurn();
      else await sleep(gapMs, undefined, { signal: goneSignal }).catch(() => undefined);
    }
  };
  const sendSplit = async (bytes: Buffer): Promise<void> => {
    const cut = (framing.splitAt ?? 0) - position;
    position += bytes.length;
    if (cut <= 0 || cut >= bytes.length) return send(bytes);
    await send(bytes.subarray(0, cut));
    await sleep(SPLIT_GAP_MS, undefined, { signal: goneSignal }).catch(() => undefined);
    return send(bytes.subarray(cut));
  };
  const put = framing.splitAt === undefined ? send : sendSplit;
  const raw = (text: string): Promise<void> => {
    const bytes = Buffer.from(mark + text);
    mark = '';
    if (framing.byteGapMs !== undefined) return drip(bytes, framing.byteGapMs);
    if (!framing.isCoalesced) return put(bytes);
    held.push(bytes);
    return Promise.resolve();
  };

  return {
    open: () => {
      const encoding = framing.isGzipped ? { 'Content-Encoding': 'gzip' } : {};
      res.writeHead(200, { ...HEADERS, ...encoding, 'X-Generation-Id': options.generationId });
      res.flushHeaders();
    },
    raw,
    frame: (body, eventName) => raw(toFrame(body, eventName)),
    end: () => {
      if (held.length === 0) out.end();
      else void put(Buffer.concat(held)).then(() => out.end());
    },
  };
};
