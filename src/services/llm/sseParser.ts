import { ProviderError } from './provider.ts';

/** One server-sent event: its name (null: none was sent) and its data, lines joined with LF. */
export interface SseEvent {
  readonly event: string | null;
  readonly data: string;
}

export interface SseParser {
  /** The events that these bytes complete. @throws ProviderError `invalid` when one event is too long */
  push(bytes: Buffer): SseEvent[];
  /** What was left when the stream ended: an event whose blank line never came. */
  end(): SseEvent[];
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
    get length() {
      return length;
    },
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

/**
 * Collects the fields of events from whole lines.
 * The rules are those of the HTML standard, §9.2.6 "Interpreting an event stream"; `id` and `retry` mean nothing here.
 */
const createEventBuilder = (maxChars: number) => {
  let name: string | null = null;
  let data: string | null = null;
  let ready: SseEvent[] = [];

  const field = (line: string, nameLength: number): string =>
    line.slice(line.charCodeAt(nameLength + 1) === 32 ? nameLength + 2 : nameLength + 1);

  const dispatch = (): void => {
    if (data !== null) ready.push({ event: name, data });
    name = null;
    data = null;
  };

  const line = (text: string): void => {
    if (text.startsWith('data:')) {
      const value = field(text, 4);
      data = data === null ? value : `${data}\n${value}`;
      if (data.length > maxChars) throw tooLong();
    } else if (text.startsWith('event:')) {
      name = field(text, 5);
    }
  };

  return {
    dispatch,
    lines: (text: string): void => {
      const lines = text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
      let from = 0;
      for (let to = lines.indexOf('\n'); to !== -1; to = lines.indexOf('\n', from)) {
        if (to === from) dispatch();
        else line(lines.slice(from, to));
        from = to + 1;
      }
    },
    take: (): SseEvent[] => {
      const events = ready;
      ready = [];
      return events;
    },
  };
};

/**
 * An incremental parser of an event stream. Bytes are decoded only up to a line end, which never lies inside a UTF-8
 * sequence, so a character may be split over any number of chunks; invalid bytes become U+FFFD. Each byte is looked at
 * once, however the stream is cut.
 * @param maxEventBytes the longest line, and the most data of one event
 */
export const createSseParser = (maxEventBytes: number = MAX_EVENT_BYTES): SseParser => {
  const remainder = createRemainder(maxEventBytes);
  const events = createEventBuilder(maxEventBytes);
  let isFirst = true;
  let endedWithCr = false;

  const decoded = (text: string): string => {
    const isBomFirst = isFirst && text.charCodeAt(0) === 0xfeff;
    isFirst = false;
    return isBomFirst ? text.slice(1) : text;
  };

  return {
    push: (bytes) => {
      if (bytes.length === 0) return [];
      const from = endedWithCr && bytes[0] === LF ? 1 : 0;
      endedWithCr = bytes[bytes.length - 1] === CR;
      const to = Math.max(bytes.lastIndexOf(LF), bytes.lastIndexOf(CR)) + 1;
      if (to > from && remainder.length === 0) {
        events.lines(decoded(bytes.toString('utf8', from, to)));
      } else if (to > from) {
        remainder.add(bytes.subarray(from, to));
        events.lines(decoded(remainder.take()));
      }
      const rest = Math.max(from, to);
      if (rest < bytes.length) remainder.add(bytes.subarray(rest));
      return events.take();
    },
    end: () => {
      events.lines(`${decoded(remainder.take())}\n`);
      events.dispatch();
      return events.take();
    },
  };
};
