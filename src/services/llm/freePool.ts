import type { Clock } from '../../lib/clock.ts';
import type { FreePoolSettings } from './settings.ts';

/** Whether the calls of a model count with those of all of OpenRouter's other `:free` models (openrouter.ai/docs, "Limits"). */
export const isFree = (slug: string): boolean => slug.endsWith(':free');

/** Leave for one call of a `:free` model. Whoever has it spends it or gives it back, once; what comes after does nothing. */
export interface FreeToken {
  /** The call goes out now: the token is back so long after that. */
  spend(): void;
  /** The call was never made. */
  giveBack(): void;
}

/**
 * How many calls of `:free` models this node makes in a minute, so that OpenRouter has none to refuse. Each token is back
 * a minute after its own call and not at a steady rate: a bucket of 20 that is filled at 20 a minute lets 40 calls out in
 * its first one. So no minute has more calls than there are tokens, wherever the endpoint lets its minutes begin.
 */
export interface FreePool {
  /** When there is a token, in milliseconds of the clock: now or in the past where there is one, always 0 without a limit. */
  nextAt(): number;
  /** Takes the token that is there at `nextAt`; who takes one that is not there yet waits for it, and nobody else gets it. */
  take(): FreeToken;
}

const NO_TOKEN: FreeToken = { spend: () => undefined, giveBack: () => undefined };

export const createFreePool = (clock: Clock, { perMinute, returnMs }: FreePoolSettings): FreePool => {
  /** Since when, or from when on, each token that nobody has lies there; the first one first. */
  const readyAt: number[] = Array.from({ length: perMinute }, () => 0);

  const put = (at: number): void => {
    const after = readyAt.findIndex((other) => other > at);
    readyAt.splice(after < 0 ? readyAt.length : after, 0, at);
  };

  return {
    nextAt: () => {
      if (perMinute === 0) return 0;
      // All are in somebody's hands: no call that is still to go out gives its token back sooner.
      return readyAt[0] ?? clock.now() + returnMs;
    },
    take: () => {
      const at = readyAt.shift();
      if (at === undefined) return NO_TOKEN;
      let isHeld = true;
      const end = (backAt: number): void => {
        if (isHeld) put(backAt);
        isHeld = false;
      };
      return { spend: () => end(clock.now() + returnMs), giveBack: () => end(at) };
    },
  };
};
