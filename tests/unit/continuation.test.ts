import { describe, expect, test } from '@jest/globals';
import { continuationMessages, createSeam } from '../../src/services/llm/continuation.ts';
import { ROUTER_SETTINGS } from '../../src/services/llm/settings.ts';

const settings = ROUTER_SETTINGS.continuation;
const PARTIAL = 'The quick brown fox jumps over the lazy dog and then it runs aw';
const ANCHOR = PARTIAL.slice(-40);

/** What a client is shown of a continuation that comes in these pieces; null: nothing of it fits. */
const shown = (partial: string, pieces: readonly string[]): string | null => {
  const seam = createSeam(partial, settings);
  let text = '';
  for (const piece of pieces) {
    const fresh = seam.accept(piece);
    if (fresh === null) return null;
    text += fresh;
  }
  return seam.isMatched() ? text : null;
};

describe('the request for a continuation', () => {
  const messages = continuationMessages([{ role: 'user', content: 'Tell me' }], PARTIAL, settings);

  test('ends with a user’s instruction that quotes the last 40 characters, never with an assistant’s message', () => {
    expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user']);
    expect(messages[1]?.content).toBe(PARTIAL);
    expect(messages[2]?.content).toMatch(new RegExp(`\n${ANCHOR}$`));
  });

  test('never quotes half of a character', () => {
    const [, , last] = continuationMessages([], 'x', settings);
    expect(last).toBeUndefined();
    const quoted = String(continuationMessages([], `${'🦊'.repeat(30)}!`, settings).at(-1)?.content);
    expect(quoted.isWellFormed()).toBe(true);
    expect(quoted.endsWith(`\n${'🦊'.repeat(19)}!`)).toBe(true);
  });
});

describe('the seam', () => {
  test.each<[string, string, string[], string | null]>([
    ['exact, in one piece', PARTIAL, [`${ANCHOR}ay from here.`], 'ay from here.'],
    ['exact, letter by letter', PARTIAL, [...`${ANCHOR}ay.`], 'ay.'],
    ['after a preamble', PARTIAL, [`Sure! `, `"${ANCHOR}`, `ay.`], 'ay.'],
    ['with other white space in it', PARTIAL, [`${ANCHOR.replaceAll(' ', '\n ')}ay.`], 'ay.'],
    ['after more than was asked for', PARTIAL, [`${PARTIAL}ay.`], 'ay.'],
    ['of a short text', 'Hi', ['Hi', ' there'], ' there'],
    ['with a space that the client has', 'one two ', ['one two', ' three'], 'three'],
    ['with a space that the client has not', 'one two', ['one two', ' three'], ' three'],
    ['with the paragraph that the client has begun', 'one two\n', ['one two\n', '\nthree'], '\nthree'],
    ['that is the end', PARTIAL, [ANCHOR], ''],
    ['with other words', PARTIAL, ['Once upon a time. '.repeat(20)], null],
    ['never come to', PARTIAL, [ANCHOR.slice(0, -1)], null],
    ['come to too late', PARTIAL, ['x'.repeat(210), `${ANCHOR}ay.`], null],
  ])('%s', (_name, partial, pieces, fresh) => {
    expect(shown(partial, pieces)).toBe(fresh);
  });

  test('holds nothing back once it is found', () => {
    const seam = createSeam(PARTIAL, settings);
    expect([seam.accept(ANCHOR), seam.isMatched(), seam.accept('ay'), seam.accept(ANCHOR)]).toEqual([
      '',
      true,
      'ay',
      ANCHOR,
    ]);
  });

  test('gives up within 240 characters', () => {
    const seam = createSeam(PARTIAL, settings);
    expect(seam.accept('x'.repeat(240))).toBe('');
    expect(seam.accept('x')).toBeNull();
  });
});
