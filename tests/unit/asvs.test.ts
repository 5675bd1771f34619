import { describe, expect, test } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const STATUSES = ['met', 'partly met', 'not met', 'operator', 'not applicable'] as const;

interface Requirement {
  readonly id: string;
  readonly level: number;
  readonly about: string;
  readonly status: (typeof STATUSES)[number];
  /** `tests/…#title of a test`, or `docs/…#section`. */
  readonly shownBy?: readonly string[];
  readonly reason?: string;
}

/** The requirements of levels 1 and 2 of OWASP ASVS 5.0.0, by section: the last digits, those of level 1 marked. */
const STANDARD: Readonly<Record<string, string>> = {
  '1.1': '1 2',
  '1.2': '1! 2! 3! 4! 5! 6 7 8 9',
  '1.3': '1! 2! 3 4 5 6 7 8 9 10 11',
  '1.4': '1 2 3',
  '1.5': '1! 2',
  '2.1': '1! 2 3',
  '2.2': '1! 2! 3',
  '2.3': '1! 2 3 4',
  '2.4': '1',
  '3.2': '1! 2!',
  '3.3': '1! 2 3 4',
  '3.4': '1! 2! 3 4 5 6',
  '3.5': '1! 2! 3! 4 5',
  '3.7': '1 2',
  '4.1': '1! 2 3',
  '4.2': '1',
  '4.3': '1 2',
  '4.4': '1! 2 3 4',
  '5.1': '1',
  '5.2': '1! 2! 3',
  '5.3': '1! 2!',
  '5.4': '1 2 3',
  '6.1': '1! 2 3',
  '6.2': '1! 2! 3! 4! 5! 6! 7! 8! 9 10 11 12',
  '6.3': '1! 2! 3 4',
  '6.4': '1! 2! 3 4',
  '6.5': '1 2 3 4 5',
  '6.6': '1 2 3',
  '6.8': '1 2 3 4',
  '7.1': '1 2 3',
  '7.2': '1! 2! 3! 4!',
  '7.3': '1 2',
  '7.4': '1! 2! 3 4 5',
  '7.5': '1 2',
  '7.6': '1 2',
  '8.1': '1! 2',
  '8.2': '1! 2! 3',
  '8.3': '1!',
  '8.4': '1',
  '9.1': '1! 2! 3!',
  '9.2': '1! 2 3 4',
  '10.1': '1 2',
  '10.2': '1 2',
  '10.3': '1 2 3 4',
  '10.4': '1! 2! 3! 4! 5! 6 7 8 9 10 11',
  '10.5': '1 2 3 4 5',
  '10.6': '1 2',
  '10.7': '1 2 3',
  '11.1': '1 2',
  '11.2': '1 2 3',
  '11.3': '1! 2! 3',
  '11.4': '1! 2 3 4',
  '11.5': '1',
  '11.6': '1',
  '12.1': '1! 2 3',
  '12.2': '1! 2!',
  '12.3': '1 2 3 4',
  '13.1': '1',
  '13.2': '1 2 3 4 5',
  '13.3': '1 2',
  '13.4': '1! 2 3 4 5',
  '14.1': '1 2',
  '14.2': '1! 2 3 4',
  '14.3': '1! 2 3',
  '15.1': '1! 2 3',
  '15.2': '1! 2 3',
  '15.3': '1! 2 3 4 5 6 7',
  '16.1': '1',
  '16.2': '1 2 3 4 5',
  '16.3': '1 2 3 4',
  '16.4': '1 2 3',
  '16.5': '1 2 3',
  '17.1': '1',
  '17.2': '1 2 3 4',
  '17.3': '1 2',
};

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(`${root}${path}`, 'utf8');
const { requirements } = JSON.parse(read('docs/asvs.json')) as { readonly requirements: readonly Requirement[] };

/** Headings as GitHub makes addresses of them. */
const anchorsOf = (markdown: string): string[] =>
  [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\- _]/gu, '')
      .replaceAll(' ', '-'),
  );

/** Whether a test or a group of tests has this title: it stands in quotes as the first argument of a call. */
const hasTitle = (source: string, title: string): boolean =>
  ["'", '"', '`'].some((quote) => {
    const at = source.indexOf(`${quote}${title}${quote},`);
    return at > 0 && /\(\s*$/.test(source.slice(0, at));
  });

/** What is wrong with a link; null: it leads somewhere. */
const deadOf = (link: string): string | null => {
  const at = link.indexOf('#');
  const path = at < 0 ? link : link.slice(0, at);
  const place = at < 0 ? '' : link.slice(at + 1);
  if (!existsSync(`${root}${path}`)) return `${link}: no such file`;
  if (path.endsWith('.md'))
    return place === '' || anchorsOf(read(path)).includes(place) ? null : `${link}: no such section`;
  if (!path.endsWith('.test.ts')) return `${link}: neither a test nor a document`;
  return hasTitle(read(path), place) ? null : `${link}: no such test`;
};

describe('docs/asvs.json', () => {
  test('has every requirement of levels 1 and 2 once, with its level, and no other', () => {
    const expected = Object.entries(STANDARD).flatMap(([section, numbers]) =>
      numbers.split(' ').map((number) => `${section}.${number.replace('!', '')} L${number.endsWith('!') ? '1' : '2'}`),
    );
    expect(expected).toHaveLength(253);
    expect(requirements.map(({ id, level }) => `${id} L${String(level)}`)).toEqual(expected);
  });

  test('every link leads to a test or a section that is there', () => {
    const links = [...new Set(requirements.flatMap(({ shownBy = [] }) => shownBy))];
    expect(links.length).toBeGreaterThan(100);
    expect(links.flatMap((link) => deadOf(link) ?? [])).toEqual([]);
  });

  test('what is met is shown, and what is not has a reason', () => {
    const wrong = requirements.filter(({ status, about, shownBy = [], reason = '' }) => {
      if (!STATUSES.includes(status) || about === '') return true;
      if (status === 'met' || status === 'operator') return shownBy.length === 0;
      return reason === '';
    });
    expect(wrong).toEqual([]);
  });

  test('docs/security.md counts them as they are', () => {
    const counts = STATUSES.map((status) => requirements.filter((item) => item.status === status).length);
    expect(read('docs/security.md').replaceAll(/ +/g, ' ')).toContain(`| ${counts.map(String).join(' | ')} |`);
  });
});

describe('the check of links', () => {
  test.each([
    ['tests/unit/nothing.test.ts#x', 'no such file'],
    ['tests/unit/asvs.test.ts#a title that is only quoted', 'no such test'],
    ['tests/unit/asvs.test.ts#', 'no such test'],
    ['docs/security.md#nowhere', 'no such section'],
    ['src/app.ts#createApp', 'neither a test nor a document'],
  ])('%s is dead: %s', (link, problem) => {
    expect(deadOf(link)).toContain(problem);
  });

  test('a test, a group and a section live', () => {
    for (const link of [
      'tests/unit/asvs.test.ts#a test, a group and a section live',
      'tests/unit/asvs.test.ts#the check of links',
      'tests/unit/asvs.test.ts#%s is dead: %s',
      'docs/security.md#ways-in',
    ]) {
      expect(deadOf(link)).toBeNull();
    }
  });
});
