import { isFields } from './openai.pieces.ts';

/** What stands between the thoughts of two models: a rule in Markdown, and in plain text a line that nobody overlooks. */
const RULE = '\n\n---\n\n';

interface Thought {
  readonly text: string;
  readonly details?: readonly unknown[];
}

/**
 * Keeps the thoughts of one model apart from those of another that had failed before its answer began, but whose thoughts
 * were shown: thoughts are shown as they come, and what was shown cannot be taken back.
 */
export interface Thoughts {
  /** Another model, or the same one anew, is asked. */
  asked(): void;
  /** The next thought as a client is to have it. */
  take(thought: Thought): Thought;
}

const indexOf = (detail: unknown): number => (isFields(detail) && typeof detail.index === 'number' ? detail.index : -1);

export const createThoughts = (): Thoughts => {
  let hasShown = false;
  let isOther = false;
  /** Added to the numbers of details: pieces with the same one are put together, and signatures fit only their own model's. */
  let shift = 0;
  let next = 0;

  const shifted = (detail: unknown): unknown => {
    const index = indexOf(detail);
    if (!isFields(detail) || index < 0) return detail;
    next = Math.max(next, index + shift + 1);
    return shift === 0 ? detail : { ...detail, index: index + shift };
  };

  return {
    asked: () => {
      isOther = hasShown;
      shift = next;
    },
    take: ({ text, details }) => {
      const isFirst = isOther && text !== '';
      if (isFirst) isOther = false;
      hasShown = true;
      return {
        text: isFirst ? RULE + text : text,
        ...(details === undefined ? {} : { details: details.map(shifted) }),
      };
    },
  };
};
