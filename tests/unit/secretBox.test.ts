import { describe, expect, test } from '@jest/globals';
import { createSecretBox } from '../../src/services/auth/secretBox.ts';

const OLD = 'the-old-key-of-the-server-that-is-long-enough';
const NEW = 'the-new-key-of-the-server-that-is-long-enough';
const TEXT = 'GEZDGNBVGY3TQOJQ 😀';
const box = (jwtSecret: string, jwtSecretPrevious: string | null = null, purpose = 'test') =>
  createSecretBox({ jwtSecret, jwtSecretPrevious }, purpose);

describe('createSecretBox', () => {
  test('opens what it sealed, on every node with its key, and never seals alike', () => {
    const sealed = [box(OLD).seal(TEXT, 'ada'), box(OLD).seal(TEXT, 'ada')];
    expect(new Set(sealed).size).toBe(2);
    for (const one of sealed) {
      expect(box(OLD).open(one, 'ada')).toBe(TEXT);
      expect(one).not.toContain(TEXT.slice(0, 6));
    }
  });

  test('after a change of keys opens both, seals under the new one, and tells them apart', () => {
    const sealed = box(OLD).seal(TEXT, 'ada');
    const between = box(NEW, OLD);
    expect(between.open(sealed, 'ada')).toBe(TEXT);
    expect([between.keyId, between.previousKeyId]).toEqual([box(NEW).keyId, box(OLD).keyId]);
    expect(between.keyId).not.toBe(between.previousKeyId);
    expect(box(NEW).open(between.seal(TEXT, 'ada'), 'ada')).toBe(TEXT);
    expect(box(NEW).open(sealed, 'ada')).toBeNull();
  });

  test('does not open what belongs to another account or purpose, or was changed anywhere', () => {
    const sealed = box(OLD).seal(TEXT, 'ada');
    expect(box(OLD).open(sealed, 'eve')).toBeNull();
    expect(box(OLD, null, 'other').open(sealed, 'ada')).toBeNull();
    const [name = '', body = ''] = sealed.split('.');
    const bytes = Buffer.from(body, 'base64url');
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      expect(box(OLD).open(`${name}.${changed.toString('base64url')}`, 'ada')).toBeNull();
      expect(box(OLD).open(`${name}.${bytes.subarray(0, at).toString('base64url')}`, 'ada')).toBeNull();
    }
    for (const nonsense of ['', '.', name, `${name}.`, `${name}.€`, `AAAAAAAA.${body}`]) {
      expect(box(OLD).open(nonsense, 'ada')).toBeNull();
    }
  });

  test('without a key there is none', () => {
    expect(() => createSecretBox({ jwtSecret: null, jwtSecretPrevious: null }, 'test')).toThrow('no JWT secret');
  });
});
