/**
 * The project brings its own Node (optionalDependencies), and npm scripts run on it. Where there is no package for the
 * platform, or it was left out, the scripts run on the user's Node, which must have what the source uses:
 * `node:sqlite`, type stripping and `crypto.randomUUIDv7`. The last is the youngest: 24.16 and 26.1, never in 25.
 */
export const isSupported = (version) => {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major === 24) return minor >= 16;
  if (major === 26) return minor >= 1;
  return major > 26;
};

/** Ends the process with one line when this Node is too old. */
export const requireNode = () => {
  const { node } = process.versions;
  if (isSupported(node)) return;
  process.stderr.write(
    `Parley needs Node 24.16+ or 26.1+; this is ${node} (${process.execPath}). ` +
      'Run it through npm (npm ci brings Node 26 for Linux with glibc, macOS, and Windows on x64), or install Node 26.\n',
  );
  process.exit(1);
};
