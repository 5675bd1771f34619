import type { EventBus } from '../events.ts';
import type { Actor } from './actor.ts';

/** Tells what is open for an actor that its login, or the whole account, has ended. */
export interface LoginEnds {
  /** Returns the function that forgets the listener. */
  onEnd(actor: Actor, listener: () => void): () => void;
}

export const createLoginEnds = (events: EventBus): LoginEnds => {
  const listeners = new Map<string, Set<() => void>>();

  const tell = (key: string): void => {
    for (const listener of [...(listeners.get(key) ?? [])]) listener();
  };
  events.subscribe('loginEnded', ({ loginId }) => tell(`login:${loginId}`));
  events.subscribe('accountEnded', ({ ownerId }) => tell(`owner:${ownerId}`));

  const add = (key: string, listener: () => void): void => {
    const known = listeners.get(key) ?? new Set();
    listeners.set(key, known.add(listener));
  };
  const remove = (key: string, listener: () => void): void => {
    const known = listeners.get(key);
    known?.delete(listener);
    if (known?.size === 0) listeners.delete(key);
  };

  return {
    onEnd: ({ ownerId, loginId }, listener) => {
      const keys = [`owner:${ownerId}`, ...(loginId === null ? [] : [`login:${loginId}`])];
      for (const key of keys) add(key, listener);
      return () => {
        for (const key of keys) remove(key, listener);
      };
    },
  };
};
