import type { LlmPart } from './provider.ts';

type TextPart = Extract<LlmPart, { type: 'delta' | 'refusal' }>;
type ReasoningPart = Extract<LlmPart, { type: 'reasoning' }>;
/** What an answer is made of, and what is told about it while it comes. */
export type AnswerPart = Extract<LlmPart, { type: 'delta' | 'refusal' | 'reasoning' | 'tool_calls' | 'extra' }>;

interface ScreenOptions {
  /** The first token of any kind came. May be called again. */
  readonly onAlive: () => void;
  /** The first visible text came. */
  readonly onVisible: () => void;
}

/**
 * Holds back what is no answer yet. Blank text, and what is only about an answer, waits until a visible character, a tool
 * call or a picture arrives, so that a model that sends nothing else can still be replaced unseen. Thoughts are shown as
 * they come: who waits for the text looks at them.
 */
export interface Screen {
  /** What the next part lets out. */
  readonly pass: (part: AnswerPart) => readonly LlmPart[];
  /** Whether anything but thoughts was let out. */
  hasContent(): boolean;
  /** Whether another model can go on from here: there is text, and none of what cannot be gone on with: a tool call, a refusal, a picture, an open thought. */
  canBeContinued(): boolean;
}

/** With one part more; neighbouring text is one. */
const withPart = (parts: readonly LlmPart[], part: LlmPart): readonly LlmPart[] => {
  const last = parts.at(-1);
  if (part.type !== 'delta' || last?.type !== 'delta') return [...parts, part];
  return [...parts.slice(0, -1), { type: 'delta', text: last.text + part.text }];
};

export const createScreen = ({ onAlive, onVisible }: ScreenOptions): Screen => {
  let hasContent = false;
  let isClosed = false;
  let isThinking = false;
  let held: readonly LlmPart[] = [];

  const hold = (part: LlmPart): readonly LlmPart[] => {
    held = withPart(held, part);
    return [];
  };

  /** What waited for the first content, with it. */
  const begin = (part: LlmPart): readonly LlmPart[] => {
    const waited = held;
    held = [];
    hasContent = true;
    onAlive();
    return withPart(waited, part);
  };

  const passText = (part: TextPart): readonly LlmPart[] => {
    isThinking = false;
    if (hasContent) return [part];
    if (part.text.trim() === '') return hold(part);
    const parts = begin(part);
    onVisible();
    return parts;
  };

  const passReasoning = (part: ReasoningPart): readonly LlmPart[] => {
    if (part.details !== undefined || part.text.trim() !== '') onAlive();
    isThinking = true;
    return [part];
  };

  const passClosed = (part: LlmPart): readonly LlmPart[] => {
    isClosed = true;
    return hasContent ? [part] : begin(part);
  };

  const passExtra = (part: Extract<LlmPart, { type: 'extra' }>): readonly LlmPart[] => {
    if (part.hasContent) return passClosed(part);
    return hasContent ? [part] : hold(part);
  };

  return {
    pass: (part) => {
      switch (part.type) {
        case 'delta':
          return passText(part);
        case 'refusal':
          isClosed = true;
          return passText(part);
        case 'reasoning':
          return passReasoning(part);
        case 'tool_calls':
          return passClosed(part);
        case 'extra':
          return passExtra(part);
      }
    },
    hasContent: () => hasContent,
    canBeContinued: () => hasContent && !isClosed && !isThinking,
  };
};
