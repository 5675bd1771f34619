/** Runs jest as `npm test` does: ES modules, and types stripped by Node itself. Arguments go to jest. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireNode } from './requireNode.mjs';

requireNode();

const jest = fileURLToPath(new URL('../node_modules/jest/bin/jest.js', import.meta.url));
const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
const options = [process.env.NODE_OPTIONS, ...flags].filter(Boolean).join(' ');

/** One line per test file: how much of logs, errors and metrics it searched for how many secrets (tests/support/canaries). */
const directory = mkdtempSync(join(tmpdir(), 'parley-canaries-'));
const counts = join(directory, 'counts');
writeFileSync(counts, '');

/** @returns whether nothing was found after the file that could have failed for it */
const tellCounts = () => {
  const lines = readFileSync(counts, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const sum = (field) => lines.reduce((total, line) => total + line[field], 0).toLocaleString('en');
  const late = lines.flatMap((line) => line.late);
  const files = lines.filter((line) => line.characters > 0).length;
  process.stderr.write(
    `Secrets: ${sum('characters')} characters of logs, errors and metrics of ${files} test files ` +
      `searched for ${sum('secrets')} secrets\n${late.map((leak) => `SECRET SEEN: ${leak}\n`).join('')}`,
  );
  return late.length === 0;
};

const args = process.argv.slice(2);
const child = spawn(process.execPath, [jest, ...args], {
  stdio: 'inherit',
  env: { ...process.env, NODE_OPTIONS: options, PARLEY_CANARY_COUNTS: counts },
});
child.on('exit', (code, signal) => {
  const isClean = tellCounts();
  rmSync(directory, { recursive: true, force: true });
  process.exit(signal || !isClean ? 1 : (code ?? 1));
});
