/**
 * `npm start`: builds what is stale and becomes the server. It is loaded into this process, so signals and exit codes
 * are the server's own, on Windows too. Without devDependencies (a deployment) dist is taken as it is.
 */
import { buildIfStale, canBuild, isBuilt } from './build.mjs';
import { requireNode } from './requireNode.mjs';

const parent = process.ppid;

/**
 * A SIGTERM to npm ends npm and its shell, and is passed no further: the server would be left behind. So it watches for
 * the loss of its parent, and takes that for the SIGTERM.
 */
const stopWithNpm = () => {
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, 250);
  watch.unref();
};

requireNode();
if (canBuild() ? !buildIfStale() : !isBuilt()) {
  if (!canBuild()) process.stderr.write('There is no build, and no compiler to make one. Run: npm ci && npm start\n');
  process.exit(1);
}
if (process.env.npm_lifecycle_event === 'start' && process.platform !== 'win32') stopWithNpm();
await import('../dist/server.js');
