import type { Usage } from '../../models/entities.ts';
import type { RoutedPart } from '../llm/router.types.ts';
import { addUsage } from './addUsage.ts';
import { guessByLength } from './guess.ts';

/** What the models of one answer used together, as its client is told it. The books have each call for itself. */
export interface AnswerUsage {
  /** Takes each part of the answer as it passes. */
  add(part: RoutedPart): void;
  /**
   * By now, of the models whose text is in the answer; null: nothing is known. What a model did not tell is a guess by the length of
   * the texts, once another has gone on with its answer or the answer has ended; the sum is `estimated` then.
   */
  sum(): Usage | null;
}

const IS_TEXT: ReadonlySet<RoutedPart['type']> = new Set(['delta', 'refusal', 'tool_calls']);

/** @param promptUnits UTF-16 units of what the models are sent */
export const createAnswerUsage = (promptUnits: number): AnswerUsage => {
  let sum: Usage | null = null;
  let units = 0;
  let hasText = false;
  let isTold = false;

  const begin = (): void => {
    units = 0;
    hasText = false;
    isTold = false;
  };
  const tell = (usage: Usage): void => {
    sum = addUsage(sum, usage);
    isTold = true;
  };
  const guess = (): Usage => guessByLength({ prompt: promptUnits, answer: units });
  /** Whether the model that writes now has a part in the answer and did not tell what it used. */
  const isOpen = (): boolean => hasText && !isTold;

  const write = (part: RoutedPart): void => {
    if (IS_TEXT.has(part.type)) hasText = true;
    if ('text' in part) units += part.text.length;
  };

  return {
    add: (part) => {
      if (part.type === 'usage') {
        tell(part.usage);
      } else if (part.type === 'model') {
        if (isOpen()) tell(guess());
        begin();
      } else if (part.type === 'restart') {
        sum = null;
        begin();
      } else if (part.type === 'finish') {
        if (!isTold) tell(guess());
      } else {
        write(part);
      }
    },
    sum: () => (sum !== null && isOpen() ? addUsage(sum, guess()) : sum),
  };
};
