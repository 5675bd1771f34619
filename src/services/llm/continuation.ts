import type { LlmMessage, RawMessage } from './provider.ts';
import type { ContinuationSettings } from './settings.ts';

type Messages = readonly (LlmMessage | RawMessage)[];

/** The end of a text, at most so many UTF-16 units, never half a surrogate pair. */
const endOf = (text: string, units: number): string => text.slice(-units).replace(/^[\uDC00-\uDFFF]/, '');

/**
 * What another model is asked to go on with an answer that broke off. A user's instruction and never an assistant message
 * at the end, which several models refuse (Claude from 4.6 on answers 400) and others answer anew.
 */
export const continuationMessages = (messages: Messages, partial: string, settings: ContinuationSettings): Messages => [
  ...messages,
  { role: 'assistant', content: partial },
  {
    role: 'user',
    content:
      'Your last answer was cut off. Go on with it exactly where it stops. Begin by repeating its last characters, ' +
      'which follow after the next line break, without any change, quotation marks or words of your own before them; ' +
      `then write on as if nothing had happened.\n${endOf(partial.trimEnd(), settings.anchorUnits)}`,
  },
];

const isBlank = (char: string): boolean => /\s/.test(char);

/** A text with each run of white space as one space, and where in the text each of its characters ends. */
const normalise = (text: string): { readonly text: string; readonly ends: readonly number[] } => {
  let normal = '';
  const ends: number[] = [];
  for (let index = 0; index < text.length; index += 1) {
    const char = text.charAt(index);
    if (!isBlank(char)) {
      normal += char;
      ends.push(index + 1);
    } else if (!normal.endsWith(' ')) {
      normal += ' ';
      ends.push(index + 1);
    } else {
      ends[ends.length - 1] = index + 1;
    }
  }
  return { text: normal, ends };
};

/** Finds where a continuation leaves off repeating, and lets out what is new. */
export interface Seam {
  /** Whether the end of the old answer was found; all that comes from then on is new. */
  isMatched(): boolean;
  /** @returns what is new in it, possibly nothing; null when the old end did not come in time */
  accept(text: string): string | null;
}

/** @param partial what clients already have; it has visible text */
export const createSeam = (partial: string, settings: ContinuationSettings): Seam => {
  const anchor = normalise(endOf(partial.trimEnd(), settings.anchorUnits)).text.trim();
  /** White space that the client has already and is not sent twice; empty once that is seen to. */
  let trailing = partial.slice(partial.trimEnd().length);
  let held = '';
  let isMatched = false;

  /** Where the old end stops in what is held; null: it is not there yet. */
  const findEnd = (): number | null => {
    const normal = normalise(held);
    const at = normal.text.indexOf(anchor);
    const end = at < 0 ? undefined : normal.ends[at + anchor.length - 1];
    return end !== undefined && end <= settings.maxHeldUnits ? end : null;
  };

  const withoutTrailing = (text: string): string => {
    held += text;
    const blank = held.length - held.trimStart().length;
    // Only when the new text has begun can it be told what white space the two have in common.
    if (blank === held.length) return '';
    const shared = held.startsWith(trailing) ? trailing.length : Math.min(trailing.length, blank);
    trailing = '';
    return held.slice(shared);
  };

  return {
    isMatched: () => isMatched,
    accept: (text) => {
      if (isMatched) return trailing === '' ? text : withoutTrailing(text);
      held += text;
      const end = findEnd();
      if (end === null) return held.length > settings.maxHeldUnits ? null : '';
      isMatched = true;
      const rest = held.slice(end);
      held = '';
      return trailing === '' ? rest : withoutTrailing(rest);
    },
  };
};
