import type { TakeTurn } from './takeTurn.ts';

/**
 * Knows which turns are on their way into the store. A node that closes refuses new ones and lets these become replies
 * first: a turn stored a moment later would have a reply that this node starts when it no longer waits for any.
 */
export const trackTurns = (takeTurn: TakeTurn): { takeTurn: TakeTurn; turnsStored: () => Promise<void> } => {
  const underWay = new Set<Promise<unknown>>();
  return {
    takeTurn: async (actor, plan) => {
      const taken = takeTurn(actor, plan);
      underWay.add(taken);
      try {
        return await taken;
      } finally {
        underWay.delete(taken);
      }
    },
    turnsStored: async () => {
      await Promise.allSettled(underWay);
    },
  };
};
