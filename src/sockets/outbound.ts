/** Bytes of one frame from a client: a message of 50,000 characters fits, and little more. */
export const MAX_FRAME_BYTES = 256 * 1024;
/** Bytes that may wait for a client behind what is on its way to it; a client that lets more gather is dropped. */
export const MAX_QUEUE_BYTES = 1024 * 1024;
/** What a waiting frame costs besides its text, so that a queue of tiny ones is bounded too. */
export const FRAME_COST_BYTES = 256;

/** Milliseconds for a client to answer a close frame; behind one that does not read the frame never arrives. */
const CLOSE_GRACE_MS = 5_000;

/** WebSocket close codes (RFC 6455 §7.4 and the IANA registry) with what we say besides. */
export const CLOSE = {
  /** The client reads more slowly than its replies are written: it comes back and resumes by offset. */
  slow: { code: 1013, reason: 'slow-client' },
  restart: { code: 1012, reason: 'SHUTTING_DOWN' },
  /** The reason is the problem's code. */
  policy: { code: 1008 },
} as const;

/** The part of a WebSocket that closes it; Socket.IO has one of its own kind inside. */
export interface Closable {
  close(code: number, reason: string): void;
  terminate(): void;
}

/** Closes a WebSocket with a reason; one that does not answer in time is cut. */
export const closeWebSocket = (ws: Closable, code: number, reason: string): void => {
  ws.close(code, reason);
  setTimeout(() => ws.terminate(), CLOSE_GRACE_MS).unref();
};
