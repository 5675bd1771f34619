/**
 * `npm start`: builds what is stale and becomes the server. It is loaded into this process, so signals and exit codes
 * are the server's own, on Windows too. Without devDependencies (a deployment) dist is taken as it is.
 */
import { buildIfStale, canBuild, isBuilt } from './build.mjs';
import { requireNode } from './requireNode.mjs';
import { stopWithNpm } from './stopWithNpm.mjs';

requireNode();
if (canBuild() ? !buildIfStale() : !isBuilt()) {
  if (!canBuild()) process.stderr.write('There is no build, and no compiler to make one. Run: npm ci && npm start\n');
  process.exit(1);
}
stopWithNpm('start');
await import('../dist/server.js');
