import { describe, expect, test } from '@jest/globals';
import { createDetails, createToolCalls, type Pieces } from '../../src/controllers/openai.pieces.ts';
import { createThoughts } from '../../src/controllers/openai.thoughts.ts';

const whole = (pieces: Pieces, ...added: readonly unknown[]) => {
  for (const piece of added) pieces.add([piece]);
  return pieces.whole();
};
const calls = (...added: readonly unknown[]) => whole(createToolCalls(), ...added);
const details = (...added: readonly unknown[]) => whole(createDetails(), ...added);
const named = (id: string, name: string | null, text: string, index = 0) => ({
  index,
  id,
  type: 'function',
  function: { name, arguments: text },
});
const called = (id: string, name: string, text: string) => ({
  id,
  type: 'function',
  function: { name, arguments: text },
});

describe('the pieces of tool calls', () => {
  test('go on by their index, whatever comes in between, in the order of it', () => {
    const pieces = [named('b', 'g', '', 1), named('a', 'f', '{'), named('', null, '{}', 1), named('', null, '}')];
    expect(calls(...pieces)).toEqual([called('a', 'f', '{}'), called('b', 'g', '{}')]);
  });

  test.each([
    ['the same id and name each time', [named('a', 'f', '{'), named('a', 'f', '}')], [called('a', 'f', '{}')]],
    [
      'another id each time, as of some endpoints',
      [named('a', 'f', '{'), named('b', null, '}')],
      [called('a', 'f', '{}')],
    ],
    ['the same text twice', [named('a', 'f', '1'), named('a', null, '1')], [called('a', 'f', '11')]],
    [
      'nulls, which say nothing',
      [named('a', 'f', '{}'), { index: 0, id: null, type: null, function: null }],
      [called('a', 'f', '{}')],
    ],
    [
      'two calls under one index',
      [named('a', 'f', '{}'), named('b', 'g', '{}')],
      [called('a', 'f', '{}'), called('b', 'g', '{}')],
    ],
    ['what is no piece', ['x', null, [1], named('a', 'f', '{}')], [called('a', 'f', '{}')]],
    ['no name and no arguments', [{ function: {} }], [called('', '', '')]],
  ])('with %s', (_case, pieces, expected) => {
    expect(calls(...pieces)).toEqual(expected);
  });

  test('keep fields that nobody here knows: texts that differ are one, of all else the last counts', () => {
    const first = { ...named('a', 'f', '{}'), note: 'a', flags: [1], deep: { sign: 'x', n: 1 } };
    const second = { index: 0, note: 'b', flags: [2], deep: { sign: 'x', n: 2 } };
    expect(calls(first, second)).toEqual([
      { ...called('a', 'f', '{}'), note: 'ab', flags: [2], deep: { sign: 'x', n: 2 } },
    ]);
  });

  test('make no prototype of a field of that name', () => {
    const [call] = calls(JSON.parse('{"index":0,"__proto__":{"id":"evil"}}'), { index: 0, id: 'a' });
    expect(call).toMatchObject({ id: 'a' });
    expect(Object.getPrototypeOf(call)).toBe(Object.prototype);
  });
});

describe('the pieces of a thought’s details', () => {
  const text = (more: object) => ({ type: 'reasoning.text', ...more });

  test('go on by index and type', () => {
    const sealed = { type: 'reasoning.encrypted', data: 'X', index: 0 };
    expect(details(text({ index: 0, text: 'a' }), sealed, text({ index: 0, text: 'a', signature: 'S' }))).toEqual([
      text({ index: 0, text: 'aa', signature: 'S' }),
      sealed,
    ]);
  });

  test('without an index go on with the words before them, and what is encrypted stands alone', () => {
    const sealed = { type: 'reasoning.encrypted', data: 'X' };
    expect(details(text({ text: 'a' }), text({ text: 'b' }), sealed, sealed, text({ text: 'c' }))).toEqual([
      text({ text: 'ab' }),
      sealed,
      sealed,
      text({ text: 'c' }),
    ]);
  });
});

describe('thoughts as they are streamed', () => {
  const RULE = '\n\n---\n\n';

  test('have a rule before those of the next model that thinks, once, and none where nobody thought before', () => {
    const thoughts = createThoughts();
    const take = (text: string): string => thoughts.take({ text }).text;
    thoughts.asked();
    thoughts.asked();
    expect([take('a'), take('b')]).toEqual(['a', 'b']);
    thoughts.asked();
    thoughts.asked();
    expect([take(''), take('c'), take('d')]).toEqual(['', `${RULE}c`, 'd']);
  });

  test('have details whose indices no two models share', () => {
    const thoughts = createThoughts();
    const take = (...indices: number[]) =>
      thoughts.take({ text: '', details: indices.map((index) => ({ index })) }).details;
    thoughts.asked();
    expect([take(0), take(0, 2)]).toEqual([[{ index: 0 }], [{ index: 0 }, { index: 2 }]]);
    thoughts.asked();
    expect([take(0), take(1)]).toEqual([[{ index: 3 }], [{ index: 4 }]]);
    expect(thoughts.take({ text: '', details: ['x', { type: 'y' }] }).details).toEqual(['x', { type: 'y' }]);
  });
});
