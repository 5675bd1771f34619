import { describe, expect, test } from '@jest/globals';
import { createAnswer } from '../../src/services/llm/answer.ts';
import { createChunkTemplate } from '../../src/services/llm/chunkTemplate.ts';
import type { LlmPart } from '../../src/services/llm/provider.ts';
import { createSseParser } from '../../src/services/llm/sseParser.ts';

/** Numbers below 1 that are the same in every run (mulberry32). */
const createRandom = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

interface Read {
  readonly parts: readonly LlmPart[];
  readonly error: string | null;
  /** Events that the template took without the parser. */
  readonly taken: number;
}

/** Neighbouring pieces of text are one part, as the queue behind the answer makes them. */
const merged = (parts: readonly LlmPart[]): LlmPart[] =>
  parts.reduce<LlmPart[]>((list, part) => {
    const last = list.at(-1);
    if (part.type === 'delta' && last?.type === 'delta')
      return [...list.slice(0, -1), { type: 'delta', text: last.text + part.text }];
    return [...list, part];
  }, []);

/** Reads a stream that comes in these pieces, with the template or without it. */
const read = (pieces: readonly Buffer[], hasTemplate: boolean): Read => {
  const parts: LlmPart[] = [];
  let taken = 0;
  const answer = createAnswer({
    emit: (part) => parts.push(part),
    onToken: () => undefined,
    generationId: null,
    toError: () => new Error('in band'),
    ...(hasTemplate ? { onPlainText: (data: string, text: string) => template.learn(data, text) } : {}),
  });
  const template = createChunkTemplate((text) => answer.acceptText(text));
  const shortcut = (lines: string, from: number): number => {
    const to = template.take(lines, from);
    taken += lines.slice(from, to).split('\n\n').length - 1;
    return to;
  };
  const parser = createSseParser({ onEvent: (event) => answer.accept(event), ...(hasTemplate ? { shortcut } : {}) });
  try {
    for (const piece of pieces) parser.push(piece);
    parser.end();
    answer.end();
    return { parts: merged(parts), error: null, taken };
  } catch (error) {
    return { parts: merged(parts), error: String(error), taken };
  }
};

type Pick = <T>(from: readonly T[]) => T;

const TEXTS = [
  'Hello',
  ' world',
  '\n\n',
  '"',
  '\\',
  '\\"',
  'é ü',
  '世界',
  '👩‍👧',
  '\ud83d',
  '\ude42',
  '\u2028',
  '\t',
  '\u0000',
  '\u007f',
  ' ',
  '',
  '}',
  '"}}]}',
  '","content":"x',
  '"content":"',
  'parley-chunk-template-8d1f5c',
  'data: {"choices":[{"delta":{"content":"no"}}]}',
  '[DONE]',
  'stop',
  'assistant',
  'null',
];

/** A string in JSON as different writers have it: escaped where it must be, or wherever it may be. */
const literal = (text: string, pick: Pick): string => {
  const plain = JSON.stringify(text);
  const style = pick(['plain', 'plain', 'ascii', 'slash']);
  if (style === 'slash') return plain.replaceAll('/', '\\/');
  if (style === 'plain') return plain;
  return plain.replace(/[^\0-~]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
};

/** How one endpoint writes its chunks: what its events have in common. */
const createWriter = (pick: Pick) => {
  const space = pick(['', '', ' ']);
  const field = (name: string, value: string): string => `"${name}":${space}${value}`;
  const object = (...fields: readonly string[]): string => `{${fields.filter(Boolean).join(`,${space}`)}}`;
  const head = pick([
    [field('id', '"gen-1"'), field('model', '"a/b"'), field('created', '1700000000')],
    [field('id', '"x \\" \\"content\\":\\"y"'), field('object', '"chat.completion.chunk"')],
    [field('content', '"outside"'), field('provider', '"Groq"')],
    [],
  ]);
  const beside = pick([
    [],
    [field('finish_reason', 'null')],
    [field('logprobs', object(field('content', '[{"token":"x","logprob":-1}]')))],
    [field('logprobs', 'null'), field('finish_reason', 'null'), field('native_finish_reason', 'null')],
    [field('note', '"\\"content\\":\\"z\\""')],
  ]);
  const deltaOf = (content: string): string =>
    object(
      ...pick([
        [field('content', content)],
        [field('role', '"assistant"'), field('content', content)],
        [field('content', content), field('reasoning', 'null'), field('tool_calls', '[]')],
        [field('content', content), field('annotations', '[{"type":"url_citation"}]')],
        [field('content', content), field('refusal', '"no"')],
        [field('content', '"first of two"'), field('content', content)],
        [field('content', content), field('content', '"the last counts"')],
        [field('reasoning_content', '"hm"'), field('content', content)],
      ]),
    );
  const shape = pick(['once', 'mixed']);
  const usual = deltaOf('"§"');
  const isChoiceFirst = pick([true, false]);
  const chunk = (delta: string, ...more: readonly string[]): string => {
    const choice = field('choices', `[${object(field('index', '0'), field('delta', delta), ...beside, ...more)}]`);
    return object(...(isChoiceFirst ? [choice, ...head] : [...head, choice]));
  };
  return {
    text: (content: string): string => chunk(shape === 'once' ? usual.replace('"§"', () => content) : deltaOf(content)),
    end: (): string => chunk('{}', field('finish_reason', '"stop"')),
    other: (): string =>
      pick([
        object(field('choices', '[]'), field('usage', object(field('prompt_tokens', '3')))),
        chunk(object(field('tool_calls', '[{"index":0,"function":{"name":"f","arguments":"{}"}}]'))),
        chunk(object(field('reasoning', '"well"'))),
        chunk(object(field('content', '[{"type":"text","text":"part"}]'))),
        chunk(object(field('content', '"cut off'))),
        '{"cho',
      ]),
  };
};

const makeStream = (seed: number): { readonly bytes: Buffer; readonly random: () => number } => {
  const random = createRandom(seed);
  const pick: Pick = (from) => from[Math.floor(random() * from.length)] as never;
  const writer = createWriter(pick);
  const frame = (data: string): string =>
    pick([
      () => `data: ${data}\n\n`,
      () => `data: ${data}\n\n`,
      () => `data: ${data}\n\n`,
      () => `data: ${data}\n\n`,
      () => `data:${data}\n\n`,
      () => `data:  ${data}\n\n`,
      () => `data: ${data}\r\n\r\n`,
      () => `event: message\ndata: ${data}\n\n`,
      () => `: OPENROUTER PROCESSING\n\ndata: ${data}\n\n`,
      () => `data: ${data.replace(',', ',\ndata: ')}\n\n`,
      () => `data: ${data}\nid: 7\n\n`,
    ])();
  const usualFrame = random() < 0.7 ? (data: string): string => `data: ${data}\n\n` : frame;
  const events = Array.from({ length: 3 + Math.floor(random() * 12) }, () =>
    random() < 0.07 ? frame(writer.other()) : usualFrame(writer.text(literal(pick(TEXTS), pick))),
  );
  const tail = pick(['data: [DONE]\n\n', '', `data: [DONE]\n\n${usualFrame(writer.text('"after the end"'))}`]);
  return { bytes: Buffer.from(`${events.join('')}${frame(writer.end())}${tail}`), random };
};

const cut = (bytes: Buffer, random: () => number): Buffer[] => {
  const places = Array.from({ length: Math.floor(random() * 5) }, () => Math.floor(random() * bytes.length));
  const edges = [0, ...places.sort((a, b) => a - b), bytes.length];
  return edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
};

describe('the template of usual chunks', () => {
  test('four thousand streams of every kind read the same with it and without it', () => {
    let taken = 0;
    let failed = 0;
    for (let seed = 1; seed <= 4_000; seed += 1) {
      const { bytes, random } = makeStream(seed);
      const parsed = read([bytes], false);
      const pieces = cut(bytes, random);
      for (const way of [[bytes], pieces]) {
        const { parts, error, taken: took } = read(way, true);
        if (JSON.stringify({ parts, error }) !== JSON.stringify({ parts: parsed.parts, error: parsed.error }))
          throw new Error(`seed ${String(seed)}: ${JSON.stringify(parts)} instead of ${JSON.stringify(parsed)}`);
        taken += took;
      }
      if (parsed.error !== null) failed += 1;
    }
    // Both ways were walked, and often.
    expect(taken).toBeGreaterThan(8_000);
    expect(failed).toBeGreaterThan(40);
    expect(failed).toBeLessThan(2_000);
  });

  const usual = (text: string): string => JSON.stringify({ choices: [{ delta: { content: text } }] });
  const known = [1, 2, 3].map((word) => `data: ${usual(`word${String(word)} `)}\n\n`).join('');
  const finish = `data: ${JSON.stringify({ choices: [{ finish_reason: 'stop' }] })}\n\n`;

  test.each([
    // Of these three may pass as garbage, unnoticed.
    ['texts without an end', known + `data: ${usual('').replace('""', '"')}\n\n`.repeat(4)],
    ['texts with an end too many', known + `data: ${usual('').replace('""', '"""')}\n\n`.repeat(4)],
    ['an event with the name error', `${known}event: error\ndata: ${usual('not text')}\n\n`],
    ['the second line of an event', `${known}data: {"a":1,\ndata: ${usual('not text')}\n\n`],
    [
      'a line that is not data, in an event like one that had several',
      `${[1, 2, 3].map(() => `data: ${usual('x').replace('[', '[\ndata: ')}\n\n`).join('')}data: ${usual('y').replace('[', '[\n')}\n\n`,
    ],
    ['a line end where the text is', `${known}data: ${usual('a§b').replace('§', '\n')}\n\n`],
    ['an end of the line in another place', `${known}data: ${usual('a')} \n\ndata: ${usual('b')}\n \n\n`],
  ])('is not fooled by %s', (_what, text) => {
    const bytes = Buffer.from(`${text}${known}${finish}`);
    const { parts, error } = read([bytes], false);
    expect(read([bytes], true)).toMatchObject({ parts, error });
  });

  test('all but the first two of the usual events are taken', () => {
    const event = (text: string): string => `data: ${usual(text)}\n\n`;
    const texts = Array.from({ length: 50 }, (_text, index) => `${String(index)} "\n`);
    const { parts, taken } = read([Buffer.from(texts.map(event).join('') + finish)], true);
    expect(taken).toBe(48);
    expect(parts).toEqual([
      { type: 'delta', text: texts.join('') },
      { type: 'finish', reason: 'stop' },
    ]);
  });

  test('an event that changes now and then is learned anew; one that changes each time costs few lessons', () => {
    const event = (created: number): string =>
      `data: ${JSON.stringify({ created, choices: [{ delta: { content: 'x' } }] })}\n\n`;
    const secondly = Array.from({ length: 400 }, (_event, index) => event(Math.floor(index / 40)));
    expect(read([Buffer.from(secondly.join(''))], true).taken).toBe(400 - 11);
    const always = Array.from({ length: 400 }, (_event, index) => event(index));
    expect(read([Buffer.from(always.join(''))], true).taken).toBe(0);
  });
});
