import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Server } from 'socket.io';
import type { ChatSocket } from './chatSocket.ts';

/** What a client came with; undefined once it is forgotten, when the client joins anew on the same connection. */
export const requestOf = (socket: ChatSocket): IncomingMessage | undefined => socket.request;

/** Lets go of the request that a client came with. To be called once the client is in. */
export type ForgetRequest = (socket: ChatSocket) => void;

/**
 * Socket.IO keeps each client's first request for as long as the client stays (socket.io/docs/v4/memory-usage), and
 * Engine.IO a second time, in what stands for the answer to an upgrade: together a quarter of what an idle client takes.
 */
export const createForgetRequest = (engine: Server['engine']): ForgetRequest => {
  const answers = new WeakMap<IncomingMessage, object>();
  engine.use((request: IncomingMessage, answer: object, next: () => void) => {
    if (!(answer instanceof ServerResponse)) answers.set(request, answer);
    next();
  });

  return (socket) => {
    const request = requestOf(socket);
    const answer = request && answers.get(request);
    if (answer) Reflect.set(answer, 'req', undefined);
    Reflect.set(socket.conn, 'request', undefined);
    Object.assign(socket.handshake, { headers: {}, query: {} });
  };
};
