/** `npm run simulator`: from the sources where they are, else from the build. */
import { existsSync } from 'node:fs';
import { requireNode } from './requireNode.mjs';
import { stopWithNpm } from './stopWithNpm.mjs';

requireNode();
stopWithNpm('simulator');
const [source, built] = ['../src/simulator.ts', '../dist/simulator.js'].map((file) => new URL(file, import.meta.url));
await import(existsSync(source) ? source : built);
