/** As it was at the start: npm may be gone before anybody watches. */
const parent = process.ppid;

/**
 * A SIGTERM to npm ends npm and its shell, and is passed no further: what it started would be left behind. So that
 * watches for the loss of its parent, and takes that for the SIGTERM.
 * @param script the name of the npm script; started in any other way, nothing is watched
 */
export const stopWithNpm = (script) => {
  if (process.env.npm_lifecycle_event !== script || process.platform === 'win32') return;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, 250);
  watch.unref();
};
