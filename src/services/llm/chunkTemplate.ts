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

interface Decoded {
  readonly text: string;
  /** Of so many events, whose raw texts have so many UTF-16 units. */
  readonly events: number;
  readonly units: number;
}

/** What these say one after the other, up to the first that is no whole JSON string. */
const decodeAll = (raw: readonly string[]): Decoded => {
  const all = raw.join('');
  // Looking once for all of them costs as much as looking at one.
  if (isPlain(all)) return { text: all, events: raw.length, units: all.length };
  const texts: string[] = [];
  let units = 0;
  for (const part of raw) {
    const text = decode(part);
    if (text === null) break;
    texts.push(text);
    units += part.length;
  }
  return { text: texts.join(''), events: texts.length, units };
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

/** What the events of a stream have in common. */
interface Frame {
  /** Up to the text. */
  readonly head: string;
  /** From the text to the end of the event. */
  readonly tail: string;
  /** Between the texts of two events in a row. */
  readonly between: string;
}

/** Where the text ends that begins at `start`, by the end of its event; -1: the event is different. */
const endOfText = ({ tail }: Frame, lines: string, start: number): number => {
  const end = lines.indexOf('\n', start) + EVENT_END.length - tail.length;
  return end >= start && isAt(lines, tail, end) ? end : -1;
};

/** The raw texts of the events from the one on whose text begins at `first`, up to the first that is different. */
const rawTexts = (frame: Frame, lines: string, first: number): readonly string[] => {
  const { head, tail, between } = frame;
  const raw: string[] = [];
  for (let start = first; ;) {
    // Of most events one search and one comparison: to the next quote, and from it to the text of the next event.
    const quote = lines.indexOf('"', start);
    const isUsual = isAt(lines, between, quote);
    const end = isUsual ? quote : endOfText(frame, lines, start);
    if (end === -1) return raw;
    raw.push(lines.slice(start, end));
    if (!isUsual && !isAt(lines, head, end + tail.length)) return raw;
    start = end + between.length;
  }
};

/** @param onText told the text of at least one event */
export const createChunkTemplate = (onText: (text: string) => void): ChunkTemplate => {
  let frame: Frame | null = null;
  let lessons = MAX_LESSONS;
  let isFirst = true;

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
      const head = `data: ${before}`;
      const tail = `${after}${EVENT_END}`;
      frame = { head, tail, between: `${tail}${head}` };
    },
    take: (lines, from) => {
      if (frame === null || !isAt(lines, frame.head, from)) return from;
      const { text, events, units } = decodeAll(rawTexts(frame, lines, from + frame.head.length));
      lessons = Math.min(lessons + events * LESSONS_PER_EVENT, MAX_LESSONS);
      if (text !== '') onText(text);
      return from + units + events * frame.between.length;
    },
  };
};
