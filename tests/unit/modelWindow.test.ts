import { describe, expect, test } from '@jest/globals';
import { estimateTokens, fitWindow } from '../../src/services/llm/modelWindow.ts';
import type { RawMessage } from '../../src/services/llm/provider.ts';

/** About a hundred tokens. */
const long = (role: string, mark: string): RawMessage => ({ role, content: mark + 'x'.repeat(287) });
const marks = (messages: ReturnType<typeof fitWindow>): string =>
  messages.map(({ content }) => String(content).charAt(0)).join('');

describe('the window of a model', () => {
  const messages = [
    long('system', 's'),
    long('user', 'a'),
    long('assistant', 'A'),
    long('user', 'b'),
    long('assistant', 'B'),
    long('user', 'c'),
  ];

  test('has room for everything, or its size is not known', () => {
    expect(fitWindow(messages, { contextLength: null, maxTokens: 100 })).toBe(messages);
    expect(fitWindow(messages, { contextLength: 1000, maxTokens: 100 })).toBe(messages);
  });

  test.each([
    [700, 'sbBc'],
    [500, 'sc'],
    [10, 'sc'],
  ])('of %d tokens gets the instructions and the newest whole turns: %s', (contextLength, left) => {
    expect(marks(fitWindow(messages, { contextLength, maxTokens: 100 }))).toBe(left);
  });

  test('leaves room for the answer and five percent', () => {
    const all = messages.reduce((sum, message) => sum + estimateTokens(message), 0);
    const contextLength = Math.ceil((all + 50) / 0.95);
    expect(fitWindow(messages, { contextLength, maxTokens: 50 })).toHaveLength(6);
    expect(fitWindow(messages, { contextLength, maxTokens: 51 })).toHaveLength(4);
  });

  test('never parts a tool’s result from its call', () => {
    const tools = [long('user', 'a'), long('assistant', 'A'), long('tool', 't'), long('user', 'b')];
    expect(marks(fitWindow(tools, { contextLength: 350, maxTokens: 0 }))).toBe('b');
  });
});

test('an estimate counts bytes, parts and calls', () => {
  expect(estimateTokens({ role: 'user', content: 'abc' })).toBe(5);
  expect(estimateTokens({ role: 'user', content: '日本' })).toBe(6);
  expect(estimateTokens({ role: 'user', content: [{ type: 'text', text: 'abc' }, { type: 'image_url' }] })).toBe(1005);
  expect(estimateTokens({ role: 'assistant', content: null, tool_calls: [] })).toBe(5);
});
