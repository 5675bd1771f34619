import { describe, expect, test } from '@jest/globals';
import { maskSecrets } from '../../src/services/llm/simulator/mask.ts';
import { newcomerText, splitWords, UNICODE_TEXT } from '../../src/services/llm/simulator/text.ts';

const user = (content: string) => ({ role: 'user', content });

describe('what the simulator says', () => {
  test('a newcomer learns who answers, that the message arrived, and what to do next', () => {
    const text = newcomerText([user('Hello there')]);
    expect(text).toContain('“Hello there”');
    expect(text).toContain('simulator');
    expect(text).toContain('OPENROUTER_API_KEY');
    expect(text).toContain('/docs');
    expect(text).toContain('chat:send');
  });

  test('a second message gets a shorter answer', () => {
    const first = newcomerText([user('one')]);
    const second = newcomerText([user('one'), { role: 'assistant', content: first }, user('two')]);
    expect(second).toContain('“two”');
    expect(second.length).toBeLessThan(first.length / 2);
  });

  test('a long message is quoted in part, never with half a character', () => {
    const text = newcomerText([user('🙂'.repeat(500))]);
    expect(text).toContain(`“${'🙂'.repeat(60)}…”`);
    expect(text.isWellFormed()).toBe(true);
  });

  test.each([
    'sk-or-v1-0123456789abcdef',
    'Bearer abc.def-ghi',
    'ghp_abcdefghijklmnop',
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc',
    'postgres://me:hunter2@db.example.com/x',
    'password: hunter2',
    'my password is hunter2',
    'api key = abc',
    'TOKEN=xyz',
    'ann@example.com',
    '4111 1111 1111 1111',
    'b3f1c2d4e5a697887766554433221100',
    '-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----',
  ])('%p is not repeated', (secret) => {
    const masked = maskSecrets(`look: ${secret} thanks`);
    expect(masked).toContain('•••');
    for (const word of secret.split(/[\s:=]+/).filter((part) => /\d|hunter|xyz|MIIE|@/.test(part)))
      expect(masked).not.toContain(word);
  });

  test('a secret beyond what is looked at does not slip through by its first half', () => {
    const content = `${'a1'.repeat(494)} Bearer hunter2hunter2`;
    expect(content.indexOf('hunter')).toBeLessThan(1000);
    expect(content.length).toBeGreaterThan(1000);
    expect(newcomerText([user(content)])).not.toContain('hunt');
  });

  test('ordinary words stay', () => {
    const text = 'What is the weather in Donaudampfschifffahrtsgesellschaft on 2026-11-21?';
    expect(maskSecrets(text)).toBe(text);
  });

  test('the words of a text make the text', () => {
    for (const text of [UNICODE_TEXT, ' a  b\n\n c ', '', '   ', newcomerText([user('x')])])
      expect(splitWords(text).join('')).toBe(text);
    expect(splitWords('a b c')).toHaveLength(3);
  });
});
