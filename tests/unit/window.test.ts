import { describe, expect, test } from '@jest/globals';
import { chooseWindow, mostTokens, type ContextMessage } from '../../src/services/context/window.ts';

/** `uarua`: a branch of user (u), assistant (a) and system (s) messages of one token each. */
const branch = (roles: string): ContextMessage[] =>
  [...roles].map((letter, index) => ({
    id: String(index),
    parentId: index === 0 ? null : String(index - 1),
    role: letter === 'u' ? 'user' : letter === 'a' ? 'assistant' : 'system',
    content: letter,
    tokens: 1,
  }));

const windowOf = (roles: string, maxMessages: number, maxTokens: number): string =>
  chooseWindow(branch(roles), () => 1, { maxMessages, maxTokens })
    .map(({ id }) => id)
    .join('');

describe('chooseWindow', () => {
  test.each<readonly [string, Parameters<typeof windowOf>, string]>([
    ['everything fits', ['uauau', 20, 100], '01234'],
    ['the newest whole turns within the messages', ['uauau', 4, 100], '234'],
    ['the newest whole turns within the tokens', ['uauau', 20, 4], '234'],
    ['never half a turn', ['uauau', 2, 100], '4'],
    ['the question alone, however small the limits', ['uauau', 1, 0], '4'],
    ['a question that was never answered is a turn of its own', ['uuau', 20, 2], '3'],
    ['a branch cut in the midst begins with a question', ['auau', 20, 100], '123'],
    ['a reply with two messages stays with its question', ['uaaau', 4, 100], '4'],
  ])('%s', (_name, branchAndLimits, expected) => {
    expect(windowOf(...branchAndLimits)).toBe(expected);
  });

  test('the bound that needs no tokenizer is never below the bytes', () => {
    expect(mostTokens('a😀')).toBeGreaterThanOrEqual(5);
  });
});
