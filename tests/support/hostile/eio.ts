import { WebSocket } from 'ws';

/** How a connection ended. */
export interface End {
  readonly code: number;
  readonly reason: string;
}

/** A WebSocket of which every byte is ours, and whatever comes back is kept. */
export interface Line {
  readonly ws: WebSocket;
  /** The next text that `pick` makes something of; null when the connection has ended, or after the time for one answer. */
  readonly next: <T>(pick: (text: string) => T | null) => Promise<T | null>;
  /** Called with every text. */
  readonly onText: (listener: (text: string) => void) => void;
  readonly isOpen: () => boolean;
  /** How it ended; null while it has not. */
  readonly end: () => End | null;
  /** Writes bytes past the WebSocket's framing. */
  readonly writeBytes: (bytes: Buffer) => void;
  readonly close: () => void;
}

const ANSWER_MS = 30_000;

/** @throws Error when the upgrade is refused */
export const openLine = (url: string, headers: Readonly<Record<string, string>> = {}): Promise<Line> =>
  new Promise((resolve, reject) => {
    const ws = new WebSocket(url, { headers, perMessageDeflate: false });
    const listeners = new Set<(text: string | null) => void>();
    let end: End | null = null;
    const tell = (text: string | null): void => {
      for (const listener of [...listeners]) listener(text);
    };
    const watchers: ((text: string) => void)[] = [];
    ws.on('message', (data: Buffer) => {
      const text = data.toString();
      // First who counts, then who waits for what was counted.
      for (const watcher of watchers) watcher(text);
      tell(text);
    });
    ws.on('close', (code: number, reason: Buffer) => {
      end = { code, reason: reason.toString() };
      tell(null);
    });
    ws.on('error', (error) => reject(error));
    const next: Line['next'] = (pick) =>
      new Promise((done) => {
        if (end !== null) {
          done(null);
          return;
        }
        const finish = (value: ReturnType<typeof pick>): void => {
          listeners.delete(listener);
          clearTimeout(timer);
          done(value);
        };
        const listener = (text: string | null): void => {
          const value = text === null ? null : pick(text);
          if (text === null || value !== null) finish(value);
        };
        const timer = setTimeout(finish, ANSWER_MS, null);
        listeners.add(listener);
      });
    ws.once('open', () =>
      resolve({
        ws,
        next,
        onText: (listener) => void watchers.push(listener),
        isOpen: () => ws.readyState === WebSocket.OPEN,
        end: () => end,
        writeBytes: (bytes) => {
          // @types/ws does not show the socket underneath.
          const { _socket: socket } = ws as unknown as { _socket: { write(data: Buffer): void } };
          socket.write(bytes);
        },
        close: () => ws.terminate(),
      }),
    );
  });

const MASK = Buffer.from([1, 2, 3, 4]);

/** One frame of RFC 6455 §5.2, right or wrong. */
export const wsFrame = (
  opcode: number,
  payload: Buffer,
  { fin = true, rsv = 0, masked = true }: { fin?: boolean; rsv?: number; masked?: boolean } = {},
): Buffer => {
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const { length } = payload;
  const size = length < 126 ? [length] : [126, length >> 8, length & 255];
  const head = Buffer.from([first, (masked ? 0x80 : 0) | (size[0] ?? 0), ...size.slice(1)]);
  if (!masked) return Buffer.concat([head, payload]);
  return Buffer.concat([head, MASK, Buffer.from(payload.map((byte, index) => byte ^ (MASK[index % 4] ?? 0)))]);
};
