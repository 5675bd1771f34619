import { createHash } from 'node:crypto';

/** A model that may be chosen, and how often compared with the others. */
export interface Candidate {
  readonly slug: string;
  readonly weight: number;
}

/** Whose turn it is. Only `take` changes anything. */
export interface Rotation {
  /** Chooses among the candidates and counts the turn; null when there are none. */
  take(candidates: readonly Candidate[]): string | null;
  /** What `take` would choose. */
  peek(candidates: readonly Candidate[]): string | null;
}

/**
 * Smooth weighted round-robin, as nginx has it: every candidate gains its weight, the richest is taken and pays the sum
 * of all. Weights 5, 1, 1 give a a b a c a a: shares are exact over a cycle, and no model gets a burst. Candidates may
 * change from call to call, and so may their weights.
 */
export const createRotation = (): Rotation => {
  const credit = new Map<string, number>();

  const choose = (candidates: readonly Candidate[]): Candidate | null => {
    let best: Candidate | null = null;
    let most = -Infinity;
    for (const candidate of candidates) {
      const credited = (credit.get(candidate.slug) ?? 0) + candidate.weight;
      if (credited > most) {
        best = candidate;
        most = credited;
      }
    }
    return best;
  };

  return {
    peek: (candidates) => choose(candidates)?.slug ?? null,
    take: (candidates) => {
      const chosen = choose(candidates);
      let total = 0;
      for (const { slug, weight } of candidates) {
        credit.set(slug, (credit.get(slug) ?? 0) + weight);
        total += weight;
      }
      if (chosen) credit.set(chosen.slug, (credit.get(chosen.slug) ?? 0) - total);
      return chosen?.slug ?? null;
    },
  };
};

/** A number in (0, 1) that depends on nothing but the text. */
const uniform = (text: string): number => {
  const bits = createHash('sha256').update(text).digest().readUIntBE(0, 6);
  return (bits + 0.5) / 2 ** 48;
};

/**
 * The model of a chat: weighted rendezvous hashing. It needs no memory, so it is the same after a restart and on every
 * node; a model that leaves moves only its own chats, each to the same next model, and they return when it does.
 */
export const pickForChat = (chatId: string, candidates: readonly Candidate[]): string | null => {
  let best: string | null = null;
  let highest = -Infinity;
  for (const { slug, weight } of candidates) {
    const score = -weight / Math.log(uniform(`${chatId}\n${slug}`));
    if (score > highest) {
      best = slug;
      highest = score;
    }
  }
  return best;
};
