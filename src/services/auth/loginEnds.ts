import type { Clock } from '../../lib/clock.ts';
import type { EventBus } from '../events.ts';
import type { Actor } from './actor.ts';

/** Tells what is open for an actor that its login, its API key, or the whole account, has ended. */
export interface LoginEnds {
  /** Returns the function that forgets the listener. */
  onEnd(actor: Actor, listener: () => void): () => void;
}

/** Milliseconds between two looks at keys that expire while something is open with them. */
const EXPIRY_CHECK_MS = 1_000;

export const createLoginEnds = (events: EventBus, clock: Clock): LoginEnds => {
  const listeners = new Map<string, Set<() => void>>();
  /** What is open with an API key that expires; a login outlives its tokens, a key does not. */
  const expiring = new Map<() => void, number>();
  let timer: NodeJS.Timeout | null = null;

  const checkExpiry = (): void => {
    const now = clock.now();
    for (const [listener, expiresAt] of expiring) if (expiresAt <= now) listener();
  };
  const watch = (listener: () => void, expiresAt: Date): void => {
    expiring.set(listener, expiresAt.getTime());
    timer ??= setInterval(checkExpiry, EXPIRY_CHECK_MS).unref();
  };
  const unwatch = (listener: () => void): void => {
    expiring.delete(listener);
    if (expiring.size > 0 || !timer) return;
    clearInterval(timer);
    timer = null;
  };

  const tell = (key: string): void => {
    for (const listener of [...(listeners.get(key) ?? [])]) listener();
  };
  events.subscribe('loginEnded', ({ loginId }) => tell(`login:${loginId}`));
  events.subscribe('keyEnded', ({ keyId }) => tell(`key:${keyId}`));
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
    onEnd: ({ ownerId, loginId, keyId, expiresAt }, listener) => {
      const credential = keyId === null ? `login:${String(loginId)}` : `key:${keyId}`;
      const keys = [`owner:${ownerId}`, credential];
      for (const key of keys) add(key, listener);
      if (keyId !== null && expiresAt !== null) watch(listener, expiresAt);
      return () => {
        for (const key of keys) remove(key, listener);
        unwatch(listener);
      };
    },
  };
};
