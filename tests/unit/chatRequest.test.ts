import { describe, expect, test } from '@jest/globals';
import { isOpenRouter, toChatBody } from '../../src/services/llm/chatRequest.ts';

const request = { model: 'm', messages: [], temperature: 0.5, maxTokens: 9, sessionId: 'chat-1' } as const;

describe('the body of a chat request', () => {
  test('to OpenRouter names the conversation and forbids cutting it', () => {
    expect(toChatBody({ ...request, extra: { plugins: [{ id: 'web' }], session_id: 'other' } }, true)).toMatchObject({
      temperature: 0.5,
      max_tokens: 9,
      plugins: [{ id: 'context-compression', enabled: false }],
      session_id: 'chat-1',
    });
  });

  test('to anybody else has nothing that only OpenRouter understands', () => {
    const body = toChatBody(request, false);
    expect(body).not.toHaveProperty('plugins');
    expect(body).not.toHaveProperty('session_id');
  });

  test.each([
    ['https://openrouter.ai/api/v1', true],
    ['https://eu.openrouter.ai/api/v1', true],
    ['https://notopenrouter.ai/api/v1', false],
    ['https://openrouter.ai.example.com/v1', false],
    ['http://127.0.0.1:11434/v1', false],
  ])('%s is OpenRouter: %p', (baseUrl, expected) => {
    expect(isOpenRouter(baseUrl)).toBe(expected);
  });
});
