import { ProviderError } from './provider.ts';

/** One server-sent event: its name (null: none was sent) and its data, lines joined with LF. */
export interface SseEvent {
  readonly event: string | null;
  readonly data: string;
}

export interface SseParser {
  /** Tells of the events that these bytes complete. @throws ProviderError `invalid` when one event is too long */
  push(bytes: Buffer): void;
  /** Tells of what was left when the stream ended: an event whose blank line never came. */
  end(): void;
}

export interface SseParserOptions {
  readonly onEvent: (event: SseEvent) => void;
  /**
   * Takes events for which it needs no parser, from a place where one begins; returns the place where it stopped, which
   * is again the beginning of an event.
   */
  readonly shortcut?: (text: string, from: number) => number;
  /** The longest line, and the most data of one event. */
  readonly maxEventBytes?: number;
}

const LF = 10;
const CR = 13;
export const MAX_EVENT_BYTES = 4 * 1024 * 1024;
const FIRST_BUFFER_BYTES = 4096;
/** A buffer that one long event made is not kept for the rest of the stream. */
const KEPT_BUFFER_BYTES = 64 * 1024;

const tooLong = (): ProviderError => new ProviderError('invalid', 'The model sent an event that is too long');

/** Bytes after the last line end, kept until the line is whole; grows by doubling, so that each byte is copied O(1) times. */
const createRemainder = (maxBytes: number) => {
  let buffer = Buffer.alloc(0);
  let length = 0;
  return {
    length: () => length,
    add: (bytes: Buffer): void => {
      const needed = length + bytes.length;
      if (needed > maxBytes) throw tooLong();
      if (needed > buffer.length) {
        const larger = Buffer.allocUnsafe(Math.max(needed, buffer.length * 2, FIRST_BUFFER_BYTES));
        buffer.copy(larger, 0, 0, length);
        buffer = larger;
      }
      bytes.copy(buffer, length);
      length = needed;
    },
    take: (): string => {
      const text = buffer.toString('utf8', 0, length);
      length = 0;
      if (buffer.length > KEPT_BUFFER_BYTES) buffer = Buffer.alloc(0);
      return text;
    },
  };
};

/** Where the last whole line ends; of most network reads, where they end. */
const endOfLines = (bytes: Buffer): number => {
  const last = bytes[bytes.length - 1];
  if (last === LF || last === CR) return bytes.length;
  return Math.max(bytes.lastIndexOf(LF), bytes.lastIndexOf(CR)) + 1;
};

/** Of who has no shortcut. */
const nothingTaken = (_text: string, from: number): number => from;

/**
 * Collects the fields of events from whole lines.
 * The rules are those of the HTML standard, §9.2.6 "Interpreting an event stream"; `id` and `retry` mean nothing here.
 */
const createEventBuilder = (onEvent: SseParserOptions['onEvent'], maxChars: number) => {
  let name: string | null = null;
  let data: string | null = null;

  const field = (line: string, nameLength: number): string =>
    line.slice(line.charCodeAt(nameLength + 1) === 32 ? nameLength + 2 : nameLength + 1);

  return {
    /** Whether nothing of an event is there yet. */
    isBetween: () => name === null && data === null,
    dispatch: (): void => {
      const event = data === null ? null : { event: name, data };
      name = null;
      data = null;
      if (event !== null) onEvent(event);
    },
    line: (text: string): void => {
      if (text.startsWith('data:')) {
        const value = field(text, 4);
        data = data === null ? value : `${data}\n${value}`;
        if (data.length > maxChars) throw tooLong();
      } else if (text.startsWith('event:')) {
        name = field(text, 5);
      }
    },
  };
};

/**
 * An incremental parser of an event stream. Bytes are decoded only up to a line end, which never lies inside a UTF-8
 * sequence, so a character may be split over any number of chunks; invalid bytes become U+FFFD. Each byte is looked at
 * once, however the stream is cut.
 */
export const createSseParser = (options: SseParserOptions): SseParser => {
  const { onEvent, shortcut = nothingTaken, maxEventBytes = MAX_EVENT_BYTES } = options;
  const remainder = createRemainder(maxEventBytes);
  const event = createEventBuilder(onEvent, maxEventBytes);
  let isFirst = true;
  let endedWithCr = false;

  const decoded = (text: string): string => {
    const isBomFirst = isFirst && text.charCodeAt(0) === 0xfeff;
    isFirst = false;
    return isBomFirst ? text.slice(1) : text;
  };

  /** Whole lines, each with its end. */
  const read = (text: string): void => {
    const lines = text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
    let from = event.isBetween() ? shortcut(lines, 0) : 0;
    for (let to = lines.indexOf('\n', from); to !== -1; to = lines.indexOf('\n', from)) {
      if (to === from) event.dispatch();
      else event.line(lines.slice(from, to));
      from = event.isBetween() ? shortcut(lines, to + 1) : to + 1;
    }
  };

  return {
    push: (bytes) => {
      if (bytes.length === 0) return;
      const from = endedWithCr && bytes[0] === LF ? 1 : 0;
      endedWithCr = bytes[bytes.length - 1] === CR;
      const to = endOfLines(bytes);
      if (to > from && remainder.length() === 0) {
        read(decoded(bytes.toString('utf8', from, to)));
      } else if (to > from) {
        remainder.add(bytes.subarray(from, to));
        read(decoded(remainder.take()));
      }
      const rest = Math.max(from, to);
      if (rest < bytes.length) remainder.add(bytes.subarray(rest));
    },
    end: () => {
      read(`${decoded(remainder.take())}\n`);
      event.dispatch();
    },
  };
};
