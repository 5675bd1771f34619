/** Runs jest as `npm test` does: ES modules, and types stripped by Node itself. Arguments go to jest. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { requireNode } from './requireNode.mjs';

requireNode();

const jest = fileURLToPath(new URL('../node_modules/jest/bin/jest.js', import.meta.url));
const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
const options = [process.env.NODE_OPTIONS, ...flags].filter(Boolean).join(' ');

const args = process.argv.slice(2);
const child = spawn(process.execPath, [jest, ...args], {
  stdio: 'inherit',
  env: { ...process.env, NODE_OPTIONS: options },
});
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
