import type { Socket } from 'socket.io-client';

// What a server sends is checked by the test that waits for it.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Payload = any;

/** The next event of this name for which `isWanted` holds. */
export const nextEvent = (
  socket: Socket,
  name: string,
  isWanted: (payload: Payload) => boolean = () => true,
): Promise<Payload> =>
  new Promise((resolve) => {
    const listener = (payload: Payload): void => {
      if (!isWanted(payload)) return;
      socket.off(name, listener);
      resolve(payload);
    };
    socket.on(name, listener);
  });

/** Emits with an ack and resolves with it. */
export const ask = (socket: Socket, event: string, payload?: unknown): Promise<Payload> =>
  payload === undefined ? socket.emitWithAck(event) : socket.emitWithAck(event, payload);

/** Everything that a socket receives, in order. */
export const record = (socket: Socket): { name: string; payload: Payload }[] => {
  const seen: { name: string; payload: Payload }[] = [];
  socket.onAny((name: string, payload: Payload) => seen.push({ name, payload }));
  return seen;
};
