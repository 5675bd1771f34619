import { describe, expect, test } from '@jest/globals';
import { createSseParser, type SseEvent } from '../../src/services/llm/sseParser.ts';

/** A parser that hands out what it has told since it was last asked. */
const createReader = (maxEventBytes?: number) => {
  const events: SseEvent[] = [];
  const parser = createSseParser({
    onEvent: (event) => events.push(event),
    ...(maxEventBytes === undefined ? {} : { maxEventBytes }),
  });
  return {
    push: (bytes: Buffer): SseEvent[] => {
      parser.push(bytes);
      return events.splice(0);
    },
    end: (): SseEvent[] => {
      parser.end();
      return events.splice(0);
    },
  };
};

const parse = (...chunks: (string | Buffer)[]): SseEvent[] => {
  const parser = createReader();
  const events = chunks.flatMap((chunk) => parser.push(Buffer.from(chunk as string)));
  return [...events, ...parser.end()];
};

const dataOf = (...chunks: (string | Buffer)[]): string[] => parse(...chunks).map(({ data }) => data);

describe('the parser of event streams', () => {
  test.each<[string, string, string[]]>([
    ['LF', 'data: a\n\ndata: b\n\n', ['a', 'b']],
    ['CRLF', 'data: a\r\n\r\ndata: b\r\n\r\n', ['a', 'b']],
    ['CR', 'data: a\r\rdata: b\r\r', ['a', 'b']],
    ['line ends mixed', 'data: a\r\n\ndata: b\r\rdata: c\n\r\n', ['a', 'b', 'c']],
    ['no space after the colon', 'data:{"a":1}\n\n', ['{"a":1}']],
    ['only the first space goes', 'data:  a \n\n', [' a ']],
    ['a byte order mark first', '\uFEFFdata: a\n\n', ['a']],
    ['comments between', ': OPENROUTER PROCESSING\n\n:\n\ndata: a\n: b\ndata: c\n\n', ['a\nc']],
    ['several data lines', 'data: {\ndata: "a":1}\n\n', ['{\n"a":1}']],
    ['other fields', 'id: 7\nretry: 10\nfoo: bar\nnonsense\ndata: a\n\n', ['a']],
    ['an event without data', 'event: ping\n\ndata: a\n\n', ['a']],
    ['empty data', 'data:\n\n', ['']],
    ['no blank line at the end', 'data: a\n\ndata: b\n', ['a', 'b']],
    ['no line end at the end', 'data: a\n\ndata: [DONE]', ['a', '[DONE]']],
    ['blank lines only', '\n\n\r\n\n', []],
    ['nothing', '', []],
  ])('with %s, then the events are the same', (_case, text, expected) => {
    expect(dataOf(text)).toEqual(expected);
  });

  test('an event name belongs to its own event only', () => {
    expect(parse('event: error\ndata: a\n\ndata: b\n\n')).toEqual([
      { event: 'error', data: 'a' },
      { event: null, data: 'b' },
    ]);
  });

  test('cut in two or three anywhere, then nothing changes', () => {
    const text =
      '\uFEFF: c\r\n\r\ndata: 世界\r\ndata: 👩‍👩‍👧‍👦\r\n\r\nevent: error\rdata:e\u0301\rdata: é\r\rdata: {"x":"🙂"}\n\ndata: [DONE]\n\n';
    const bytes = Buffer.from(text);
    const whole = parse(text);
    expect(whole.map(({ data }) => data)).toEqual(['世界\n👩‍👩‍👧‍👦', 'e\u0301\né', '{"x":"🙂"}', '[DONE]']);
    for (let first = 0; first <= bytes.length; first += 1) {
      for (let second = first; second <= bytes.length; second += 1) {
        const chunks = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
        expect(parse(...chunks)).toEqual(whole);
      }
    }
    expect(parse(...[...bytes].map((byte) => Buffer.of(byte)))).toEqual(whole);
  });

  test('invalid UTF-8 becomes U+FFFD and harms nothing else', () => {
    const bytes = Buffer.concat([Buffer.from('data: a'), Buffer.of(0xff, 0xc3), Buffer.from('\n\ndata: b\n\n')]);
    expect(dataOf(bytes)).toEqual(['a\uFFFD\uFFFD', 'b']);
  });

  test('events are there as soon as their blank line is', () => {
    const parser = createReader();
    expect(parser.push(Buffer.from('data: a\n'))).toEqual([]);
    expect(parser.push(Buffer.from('\r'))).toEqual([{ event: null, data: 'a' }]);
    expect(parser.push(Buffer.from('\ndata: b\n\nda'))).toEqual([{ event: null, data: 'b' }]);
  });

  test('a long event in small pieces is looked at once, not once per piece', () => {
    const parser = createReader();
    const piece = Buffer.alloc(256, 'x');
    const before = process.cpuUsage();
    parser.push(Buffer.from('data: '));
    for (let sent = 0; sent < 4 * 1024 * 1024 - 1024; sent += piece.length) parser.push(piece);
    const [event] = parser.push(Buffer.from('\n\n'));
    expect(event?.data).toHaveLength(4 * 1024 * 1024 - 1024);
    // Looking at everything again for each piece takes minutes of the processor, however busy it is with others.
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(5000);
  });

  test('an event over the limit, in one line or many, is refused', () => {
    const line = createReader(100);
    expect(() => line.push(Buffer.from(`data: ${'x'.repeat(100)}`))).toThrow(
      expect.objectContaining({ kind: 'invalid' }),
    );
    const lines = createReader(100);
    expect(() => lines.push(Buffer.from('data: 0123456789\n'.repeat(11)))).toThrow(
      expect.objectContaining({ kind: 'invalid' }),
    );
    const many = createReader(100);
    expect(many.push(Buffer.from('data: 0123456789\n\n'.repeat(11)))).toHaveLength(11);
  });
});
