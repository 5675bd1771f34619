import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { WebSocket, type ClientOptions } from 'ws';

// What a server sends is checked by the test that waits for it.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Frame = any;

/** A client of the raw WebSocket door. */
export interface RawClient {
  readonly ws: WebSocket;
  /** Every frame received so far, in order. */
  readonly frames: readonly Frame[];
  /** Sends an object as JSON; a string or bytes as they are. */
  send(frame: object | string | Buffer): void;
  /** Sends a frame under a new id, and resolves with the answer to it. */
  ask(frame: object): Promise<Frame>;
  /** The next frame of this type for which `isWanted` holds. */
  next(type: string, isWanted?: (frame: Frame) => boolean): Promise<Frame>;
  /** How the connection ended. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  close(): void;
}

export interface RawOptions extends ClientOptions {
  /** The access token, as `Authorization`. */
  readonly token?: string;
  /** Behind the path, such as `?ticket=…`. */
  readonly query?: string;
  readonly path?: string;
}

const open = (url: string, options: RawOptions): WebSocket => {
  const { token, query = '', path = '/api/chat/ws', headers, ...rest } = options;
  const authorization = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  return new WebSocket(`${url.replace(/^http/, 'ws')}${path}${query}`, {
    ...rest,
    headers: { ...authorization, ...headers },
  });
};

const createClient = (ws: WebSocket): RawClient => {
  const frames: Frame[] = [];
  const listeners = new Set<(frame: Frame) => void>();
  let lastId = 0;
  ws.on('message', (data: Buffer) => {
    const frame = JSON.parse(data.toString());
    frames.push(frame);
    for (const listener of listeners) listener(frame);
  });
  ws.on('error', () => undefined);

  const nextWhere = (isWanted: (frame: Frame) => boolean): Promise<Frame> =>
    new Promise((resolve) => {
      const listener = (frame: Frame): void => {
        if (!isWanted(frame)) return;
        listeners.delete(listener);
        resolve(frame);
      };
      listeners.add(listener);
    });
  const send = (frame: object | string | Buffer): void =>
    ws.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame));

  return {
    ws,
    frames,
    send,
    ask: (frame) => {
      const id = `ask-${String((lastId += 1))}`;
      const answer = nextWhere((received) => received.id === id);
      send({ ...frame, id });
      return answer;
    },
    next: (type, isWanted = () => true) => nextWhere((frame) => frame.type === type && isWanted(frame)),
    closed: new Promise((resolve) =>
      ws.once('close', (code: number, reason: Buffer) => resolve({ code, reason: reason.toString() })),
    ),
    close: () => ws.close(),
  };
};

/** A connection to the raw door that was let in. */
export const connectRaw = (url: string, options: RawOptions): Promise<RawClient> =>
  new Promise((resolve, reject) => {
    const ws = open(url, options);
    const client = createClient(ws);
    ws.once('open', () => resolve(client));
    ws.once('error', reject);
  });

export interface Refusal {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: Frame;
}

/** How an upgrade was refused. */
export const refusedRaw = (url: string, options: RawOptions = {}): Promise<Refusal> =>
  new Promise((resolve, reject) => {
    const ws = open(url, options);
    ws.once('open', () => reject(new Error('let in')));
    ws.once('error', reject);
    ws.once('unexpected-response', (_request, response: IncomingMessage) => {
      text(response).then(
        (body) => resolve({ status: response.statusCode, headers: response.headers, body: JSON.parse(body) }),
        reject,
      );
    });
  });
