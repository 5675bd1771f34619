/**
 * Compiles src into dist when dist is not what the sources say. Types are checked by `npm run types` and CI, not here:
 * so the first start takes seconds, and one command does one thing.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireNode } from './requireNode.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DIST = join(ROOT, 'dist');
const STAMP = '.inputs';
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
const SETTINGS = ['package-lock.json', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];

/** A digest of everything that dist depends on; contents, not times, because git and Docker change times at will. */
const inputsDigest = () => {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const hash = createHash('sha256');
  for (const file of [...SETTINGS.map((name) => join(ROOT, name)), ...sources]) {
    hash
      .update(`${file.slice(ROOT.length)}\0`)
      .update(readFileSync(file))
      .update('\0');
  }
  return hash.digest('hex');
};

const stampOf = (folder) => {
  const file = join(folder, STAMP);
  return existsSync(file) ? readFileSync(file, 'utf8') : null;
};

/** Puts a finished build in dist's place: whoever starts meanwhile finds the old one whole, or the new one whole. */
const replaceDist = (fresh) => {
  const old = `${fresh}-old`;
  for (let attempt = 1; ; attempt += 1) {
    try {
      if (existsSync(DIST)) renameSync(DIST, old);
      renameSync(fresh, DIST);
      break;
    } catch (error) {
      // Another build won the race (ENOENT, ENOTEMPTY), or Windows has a file of it open (EPERM, EBUSY).
      if (attempt === 5) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    }
  }
  rmSync(old, { recursive: true, force: true });
};

/** Whether dist can be built here: not where devDependencies were left out. */
export const canBuild = () => existsSync(TSC) && existsSync(join(ROOT, 'src'));

export const isBuilt = () => existsSync(join(DIST, 'server.js'));

/**
 * Builds when dist is stale, and says so; returns whether dist is now up to date.
 * Nothing of an older build stays: the new one is made beside it and takes its place.
 */
export const buildIfStale = () => {
  const digest = inputsDigest();
  if (stampOf(DIST) === digest) return true;
  process.stderr.write('Building…\n');
  const startedAt = Date.now();
  const fresh = join(ROOT, `dist-${process.pid}`);
  const tsc = spawnSync(
    process.execPath,
    [TSC, '-p', join(ROOT, 'tsconfig.build.json'), '--noCheck', '--outDir', fresh],
    { stdio: 'inherit' },
  );
  if (tsc.status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    return false;
  }
  writeFileSync(join(fresh, STAMP), digest);
  replaceDist(fresh);
  process.stderr.write(`Built in ${((Date.now() - startedAt) / 1000).toFixed(1)} s\n`);
  return true;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  requireNode();
  if (!canBuild()) {
    process.stderr.write('Cannot build: the devDependencies are not installed. Run: npm ci\n');
    process.exit(1);
  }
  process.exit(buildIfStale() ? 0 : 1);
}
