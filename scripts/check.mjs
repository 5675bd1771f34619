/**
 * `npm run check`: everything a change must pass, in the order in which it fails soonest.
 * `--without-tests` leaves out the tests, for CI, which has already run them as a user would.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireNode } from './requireNode.mjs';

requireNode();
const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** The file behind a package's command, so that no shell and no `.cmd` shim stands between. */
const command = (name, bin = name) => {
  const folder = join(ROOT, 'node_modules', name);
  const { bin: bins } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return join(folder, typeof bins === 'string' ? bins : bins[bin]);
};

const STEPS = [
  ['format', [command('prettier'), '--check', '--log-level', 'warn', '.']],
  ['lint', [command('eslint'), '.']],
  ['import graph', [command('dependency-cruiser', 'depcruise'), '--config', '.dependency-cruiser.mjs', 'src']],
  ['types', [command('typescript', 'tsc'), '-p', '.']],
  ['generated files', ['scripts/generate.ts', '--check']],
  ['tests', ['scripts/test.mjs', '--coverage']],
];

const isWanted = ([name]) => name !== 'tests' || !process.argv.includes('--without-tests');
const failed = [];
for (const [name, args] of STEPS.filter(isWanted)) {
  process.stdout.write(`\n── ${name}\n`);
  const startedAt = Date.now();
  const { status } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) failed.push(name);
  process.stdout.write(
    `── ${name}: ${status === 0 ? 'ok' : 'FAILED'} (${((Date.now() - startedAt) / 1000).toFixed(1)} s)\n`,
  );
}
process.stdout.write(failed.length === 0 ? '\nEverything is fine.\n' : `\nFailed: ${failed.join(', ')}\n`);
process.exit(failed.length === 0 ? 0 : 1);
