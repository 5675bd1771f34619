import type { ReplyEvent } from '../schemas/events.ts';
import type { ServerEvents } from '../schemas/socketEvents.ts';

/** Anything that can emit to clients: a socket, or a room. */
export interface Emitter {
  emit<K extends keyof ServerEvents>(event: K, ...args: Parameters<ServerEvents[K]>): unknown;
}

/** Emits a reply's event under its own name; the switch is what lets the types follow. */
export const emitReplyEvent = (to: Emitter, event: ReplyEvent): void => {
  switch (event.type) {
    case 'start':
      to.emit('chat:start', event);
      break;
    case 'delta':
      to.emit('chat:delta', event);
      break;
    case 'reasoning':
      to.emit('chat:reasoning', event);
      break;
    case 'switch':
      to.emit('chat:switch', event);
      break;
    case 'reset':
      to.emit('chat:reset', event);
      break;
    case 'end':
      to.emit('chat:end', event);
      break;
    case 'failed':
      to.emit('chat:failed', event);
      break;
  }
};
