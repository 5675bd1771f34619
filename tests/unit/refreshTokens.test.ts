import { describe, expect, test } from '@jest/globals';
import { newId } from '../../src/lib/ids.ts';
import { createRefreshTokens } from '../../src/services/auth/refreshTokens.ts';

const SECRET = 'k3Zr8-signing-material-of-this-test-0123456789';
const PREVIOUS = 'p9Qw2-signing-material-of-last-month-0123456789';
const create = (jwtSecret = SECRET, jwtSecretPrevious: string | null = null) =>
  createRefreshTokens({ jwtSecret, jwtSecretPrevious });
const tokens = create();
const loginId = newId();

describe('refresh tokens', () => {
  test('a token, issued and read, names its login and generation', () => {
    for (const generation of [0, 1, 255, 256, 65_536, 4_294_967_295]) {
      const { token } = tokens.issue(loginId, generation);
      expect(token).toMatch(/^[\w-]{70}$/);
      expect(tokens.read(token)).toEqual({ loginId, generation });
    }
  });

  test('the same generation, issued again, is the same token; every other is another', () => {
    const first = tokens.issue(loginId, 1);
    expect(tokens.issue(loginId, 1)).toEqual(first);
    expect(tokens.issue(loginId, 2).token).not.toBe(first.token);
    expect(tokens.issue(newId(), 1).token).not.toBe(first.token);
    expect(create(PREVIOUS).issue(loginId, 1).token).not.toBe(first.token);
  });

  test('what is stored, of a token, is a hash from which it cannot be read', () => {
    const { token, hash } = tokens.issue(loginId, 1);
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(tokens.hashOf(token)).toBe(hash);
    expect(hash).not.toContain(token.slice(0, 8));
  });

  test('a child made under the previous secret, derived again after a change, is still found by its hash', () => {
    const old = create(PREVIOUS).issue(loginId, 3);
    const both = create(SECRET, PREVIOUS);
    expect(both.read(old.token)).toEqual({ loginId, generation: 3 });
    expect(both.rederive({ loginId, generation: 3 }, old.hash)).toBe(old.token);
    expect(both.rederive({ loginId, generation: 4 }, old.hash)).toBeNull();
    expect(create().read(old.token)).toBeNull();
  });

  test('a token changed in any one character, read, is nothing', () => {
    const { token } = tokens.issue(loginId, 1);
    const changed = [...token].map(
      (char, at) => `${token.slice(0, at)}${char === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`,
    );
    expect(changed.map((text) => tokens.read(text))).toEqual(changed.map(() => null));
  });

  test.each([
    '',
    'A',
    'A'.repeat(70),
    `${'A'.repeat(69)}=`,
    ' '.repeat(70),
    '\0'.repeat(70),
    'é'.repeat(70),
    'A'.repeat(65_536),
  ])('nonsense of %#, read, is nothing', (text) => {
    expect(tokens.read(text)).toBeNull();
  });

  test('a genuine token with something around it, read, is nothing', () => {
    const { token } = tokens.issue(loginId, 1);
    for (const text of [`${token}=`, ` ${token}`, `${token}\n`, token.slice(0, -1), `${token}A`]) {
      expect(tokens.read(text)).toBeNull();
    }
  });
});
