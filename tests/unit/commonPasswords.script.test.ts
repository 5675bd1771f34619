import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chooseWords, headerOf, withWords, type CountPieces } from '../../scripts/commonPasswords.ts';
import type * as CommonPasswords from '../../src/services/auth/commonPasswords.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/commonPasswords.ts', import.meta.url));
const TARGET = fileURLToPath(new URL('../../src/services/auth/commonPasswords.ts', import.meta.url));
const source = readFileSync(TARGET, 'utf8');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'common-passwords-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A word that was chosen is one piece, two of them two, and of anything else every character is one. */
const countPieces: CountPieces = (text, _names, words) => {
  const fewest = words.endsAt(text, 0).map((end) => 1 + countPieces(text.slice(end), [], words));
  return Math.min(text.length, ...fewest);
};
const choose = (passwords: readonly string[], top: number): string[] => [
  ...chooseWords([{ passwords, top }], countPieces),
];

describe('the words of a list', () => {
  test('that are 4 to 24 characters long are chosen, in lower case and once', () => {
    expect(choose(['abc', 'Kettle', 'kettle', 'x'.repeat(24), 'y'.repeat(25)], 9)).toEqual(['kettle', 'x'.repeat(24)]);
  });

  test('that are short are chosen from its top alone, where nobody else’s password begins with them', () => {
    expect(choose(['kettle', 'teapot', 'saucer99'], 1)).toEqual(['kettle', 'saucer99']);
  });

  test('that are made of the others are left out, but of letters from its top', () => {
    expect(choose(['kettle12', 'kettleteapot', 'kettle', 'teapot'], 4)).toEqual(['kettle', 'teapot', 'kettleteapot']);
    expect(choose(['kettle', 'teapot', 'kettle12', 'kettleteapot'], 2)).toEqual(['kettle', 'teapot']);
  });
});

describe('the file that is written', () => {
  test('is found by its own code to have the words and no others', async () => {
    const words = ['kettle', 'teapot', 'saucer99', 'пароль', 'x'.repeat(24)];
    const file = join(folder, 'written.ts');
    writeFileSync(file, withWords(source, new Set(words)));
    const { createCommonWords } = (await import(pathToFileURL(file).href)) as typeof CommonPasswords;
    const found = createCommonWords();
    expect(words.map((word) => found.endsAt(`--${word}--`, 2))).toEqual(words.map(({ length }) => [2 + length]));
    expect(['password', 'kettl', 'ettle', 'qwerty'].flatMap((word) => found.endsAt(word, 0))).toEqual([]);
  });

  test('differs from the one before in its words alone', () => {
    const words = new Set(['kettle', 'teapot']);
    const written = withWords(source, words);
    expect(withWords(written, words)).toBe(written);
    expect(written).toContain('refuses it. 2 words of');
    expect(written.split('\n`;\n')[1]).toBe(source.split('\n`;\n')[1]);
  });

  test('is in the repository with the comment that the script writes', () => {
    const [, count = ''] = /refuses it\. ([\d,]+) words of/.exec(source) ?? [];
    expect(source.startsWith(`${headerOf(Number(count.replaceAll(',', '')))}const DISTANCES`)).toBe(true);
  });
});

describe('the script, called wrongly', () => {
  const list = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };

  test.each([
    ['without lists', () => [], 'Usage: node scripts/commonPasswords.ts'],
    ['with one list', () => [list('one.txt', 'kettle12\n')], 'Usage: node scripts/commonPasswords.ts'],
    [
      'with a list that is not there',
      () => [list('one.txt', 'kettle12\n'), join(folder, 'none.txt')],
      'cannot be read',
    ],
    ['with an empty list', () => [list('one.txt', 'kettle12\n'), list('empty.txt', '\n')], 'is empty'],
    ['with JSON of another kind', () => [list('a.json', '{}'), list('one.txt', 'kettle12\n')], 'not a JSON array'],
    ['with what is not packed', () => [list('a.gz', 'kettle12'), list('one.txt', 'kettle12\n')], 'cannot be read'],
  ])('%s, says so, fails and writes nothing', (_how, pathsOf, message) => {
    const { status, stderr } = spawnSync(process.execPath, [SCRIPT, ...pathsOf()], { encoding: 'utf8' });
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('    at ');
    expect(status).toBe(1);
    expect(readFileSync(TARGET, 'utf8')).toBe(source);
  });
});
