import { readChunk } from './chunk.ts';
import { parseJson } from './jsonValue.ts';

/** Lessons that a stream has at first, and at most; one whose events differ in more than their text is only parsed. */
const MAX_LESSONS = 4;
/** What an event that was taken is worth in lessons: of those that change now and then, such as the time in seconds. */
const LESSONS_PER_EVENT = 1 / 8;
/** No model writes it by chance. */
const MARK = 'parley-chunk-template-8d1f5c';
const EVENT_END = '\n\n';

/** A JSON string without anything to decode. */
const isPlain = (raw: string): boolean => /^[^"\\\p{Cc}]*$/u.test(raw);

/** What a JSON string says whose quotes were left off; null when it is not one whole string. */
const decode = (raw: string): string | null => {
  if (isPlain(raw)) return raw;
  const value = parseJson(`"${raw}"`);
  return typeof value === 'string' ? value : null;
};

/** Like `startsWith` with a position, which compares one character at a time: a quarter of the time of a burst. */
const isAt = (text: string, part: string, at: number): boolean => text.slice(at, at + part.length) === part;

/** Whether these chunk ends make a chunk that says nothing but what is put between them. */
const isTemplate = (head: string, tail: string): boolean => {
  const chunk = readChunk(parseJson(`${head}${MARK}${tail}`));
  if (chunk?.text !== MARK || chunk.error !== null) return false;
  const { text: _text, error: _error, ...others } = chunk;
  return Object.values(others).every((value) => value === null);
};

/**
 * Reads the usual events of one stream without parsing them. From token to token nothing changes but the text, so that
 * what a parser found out of one such event is true of all that are the same outside one string: JSON is read from left
 * to right, and a whole string in place of another changes the meaning of nothing around it.
 */
export interface ChunkTemplate {
  /** Looks at an event that was parsed, and whose chunk said this text. */
  learn(data: string, text: string): void;
  /**
   * Takes the events from this place on that are like the last one learned; what they say is told in one piece.
   * @param from where an event begins, in whole lines that end in LF
   * @returns where it stopped: at the end, or at the first event that is different
   */
  take(lines: string, from: number): number;
}

/** @param onText told the text of at least one event */
export const createChunkTemplate = (onText: (text: string) => void): ChunkTemplate => {
  let head: string | null = null;
  let tail = '';
  let lessons = MAX_LESSONS;
  let isFirst = true;

  /** Where the text of the event ends that begins its text at `start`; -1: it is different. */
  const endOfText = (lines: string, start: number): number => {
    const end = lines.indexOf('\n', start) + EVENT_END.length - tail.length;
    return end >= start && isAt(lines, tail, end) ? end : -1;
  };

  return {
    learn: (data, text) => {
      // The first often names the role too, and of a short answer it is all.
      const wasFirst = isFirst;
      isFirst = false;
      // In data of several lines there is a line end that the stream has not.
      if (wasFirst || lessons < 1 || data.includes('\n')) return;
      lessons -= 1;
      const literal = JSON.stringify(text);
      const at = data.indexOf(literal, data.lastIndexOf('"content"') + '"content"'.length);
      if (at === -1) return;
      const before = data.slice(0, at + 1);
      const after = data.slice(at + literal.length - 1);
      if (!isTemplate(before, after)) return;
      head = `data: ${before}`;
      tail = `${after}${EVENT_END}`;
    },
    take: (lines, from) => {
      if (head === null) return from;
      let at = from;
      let told = '';
      while (isAt(lines, head, at)) {
        const start = at + head.length;
        const end = endOfText(lines, start);
        const text = end === -1 ? null : decode(lines.slice(start, end));
        if (text === null) break;
        told += text;
        at = end + tail.length;
        lessons = Math.min(lessons + LESSONS_PER_EVENT, MAX_LESSONS);
      }
      if (told !== '') onText(told);
      return at;
    },
  };
};
