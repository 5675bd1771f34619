import type { Server, Socket } from 'socket.io';
import type { ServerEvents } from '../schemas/socketEvents.ts';
import type { SocketData } from './liveClient.ts';

type NoEvents = Record<never, never>;

interface IoData extends SocketData {
  /** Gives the client's place back. */
  leave: () => void;
}

/** A Socket.IO client, and their server, with what they may be told. */
export type ChatSocket = Socket<NoEvents, ServerEvents, NoEvents, IoData>;
export type ChatServer = Server<NoEvents, ServerEvents, NoEvents, IoData>;
