import type { Server, Socket } from 'socket.io';

/** Engine.IO's side of a socket. */
type Connection = Socket['conn'];

/**
 * Ends what Engine.IO keeps of a connection over long-polling that was closed between two polls: its transport waits for the
 * next one for 30 s, to tell the client in its answer.
 */
const endWait = ({ transport }: Connection): void => {
  if (!('shouldClose' in transport) || typeof transport.shouldClose !== 'function') return;
  const { shouldClose } = transport;
  Reflect.set(transport, 'shouldClose', null);
  Reflect.apply(shouldClose, transport, []);
};

/**
 * Lets no connection over long-polling outlive its end. Once it is closed its id is unknown, so no poll would ever find the
 * transport that waits for one; and that wait holds memory, and keeps alive a process whose node has stopped.
 * @returns ends the waits of those that are being closed; to be called when the server answers no more polls
 */
export const watchPolling = (engine: Server['engine']): (() => void) => {
  const open = new Set<Connection>();
  const onClose = function (this: Connection): void {
    open.delete(this);
    endWait(this);
  };
  engine.on('connection', (connection: Connection) => {
    open.add(connection);
    connection.on('close', onClose);
  });
  return () => {
    for (const connection of open) endWait(connection);
  };
};
