import { describe, expect, test } from '@jest/globals';
import { newRecoveryCodes, readRecoveryCode, recoveryHash } from '../../src/services/auth/recoveryCodes.ts';
import { newTotpSecret, otpauthUri, stepOfCode } from '../../src/services/auth/totp.ts';

/** "12345678901234567890" in base32: the secret of RFC 6238, appendix B. */
const RFC_SECRET = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
const STEP_MS = 30_000;

describe('stepOfCode', () => {
  test.each([
    [1111111109, '081804'],
    [1111111111, '050471'],
    [1234567890, '005924'],
    [2000000000, '279037'],
    [20000000000, '353130'],
  ])('at second %i of RFC 6238, appendix B, knows the code, one step either way, and no further', (second, code) => {
    const step = Math.floor(second / 30);
    const seen = [-2, -1, 0, 1, 2].map((steps) => stepOfCode(RFC_SECRET, code, second * 1000 + steps * STEP_MS));
    expect(seen).toEqual([null, step, step, step, null]);
  });

  test('tells where a step begins and ends to the millisecond', () => {
    const code = '081804';
    const start = Math.floor(1111111109 / 30) * STEP_MS;
    expect(
      [-STEP_MS - 1, -STEP_MS, 2 * STEP_MS - 1, 2 * STEP_MS].map((ms) => stepOfCode(RFC_SECRET, code, start + ms)),
    ).toEqual([null, start / STEP_MS, start / STEP_MS, null]);
  });
});

describe('newTotpSecret', () => {
  test('is 160 bits of base32, another one each time', () => {
    const secrets = Array.from({ length: 50 }, newTotpSecret);
    expect(new Set(secrets).size).toBe(50);
    for (const secret of secrets) expect(secret).toMatch(/^[A-Z2-7]{32}$/);
  });
});

describe('otpauthUri', () => {
  test('keeps issuer and name apart, whatever is in them', () => {
    const uri = otpauthUri(RFC_SECRET, 'Ää & Co?', 'ada_1');
    expect(uri).toMatch(/^otpauth:\/\/totp\/%C3%84%C3%A4%20%26%20Co%3F:ada_1\?/);
    const { searchParams } = new URL(uri);
    expect([searchParams.get('issuer'), searchParams.get('secret')]).toEqual(['Ää & Co?', RFC_SECRET]);
  });
});

describe('recovery codes', () => {
  test('are ten of 24 characters, and are read back however they are typed', () => {
    const codes = newRecoveryCodes();
    expect(new Set(codes).size).toBe(10);
    for (const code of codes) {
      const read = readRecoveryCode(
        ` ${code.toUpperCase().replaceAll('-', ' ').replaceAll('O', '0').replaceAll('L', '1')}\n`,
      );
      expect(recoveryHash(read ?? '')).toBe(recoveryHash(code));
    }
  });

  test('of another length or alphabet are none', () => {
    for (const typed of [
      '',
      '-',
      'aaaaaa-bbbbbb-cccccc-ddddd',
      'aaaaaa-bbbbbb-cccccc-ddddddd',
      'aaaaaa-bbbbbb-cccccc-ddddd9',
    ]) {
      expect(readRecoveryCode(typed)).toBeNull();
    }
  });
});
