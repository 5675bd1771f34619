import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCES = fileURLToPath(new URL('ferretdb', import.meta.url));
const SUFFIX = process.platform === 'win32' ? '.exe' : '';
/** Where Go's own installer puts it, for a shell whose PATH was never told. */
const GO_HOME = process.platform === 'win32' ? 'C:\\Program Files\\Go\\bin' : '/usr/local/go/bin';

/** The full path of a program on the PATH, or null. */
export const findProgram = (name: string, extraDirectory?: string): string | null => {
  const directories = [...(process.env.PATH ?? '').split(delimiter), ...(extraDirectory ? [extraDirectory] : [])];
  const files = directories.filter(Boolean).map((directory) => join(directory, `${name}${SUFFIX}`));
  return files.find((file) => existsSync(file)) ?? null;
};

const cacheDirectory = (): string => {
  const { env, platform } = process;
  const byPlatform = platform === 'darwin' ? join(homedir(), 'Library', 'Caches') : join(homedir(), '.cache');
  const wanted = join(env.XDG_CACHE_HOME ?? env.LOCALAPPDATA ?? byPlatform, 'parley-tests');
  try {
    mkdirSync(wanted, { recursive: true });
    return wanted;
  } catch {
    // A read-only home, as in some containers: then the binary lives as long as the temporary directory does.
    const fallback = join(tmpdir(), 'parley-tests');
    mkdirSync(fallback, { recursive: true });
    return fallback;
  }
};

const sourceHash = (): string => {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}`);
  for (const file of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(join(SOURCES, file)));
  return hash.digest('hex').slice(0, 16);
};

const build = (go: string, output: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(go, ['build', '-trimpath', '-o', output, '.'], {
      cwd: SOURCES,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, CGO_ENABLED: '0' },
    });
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-2000)));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`go build ended with ${String(code)}: ${errors}`));
    });
  });

/**
 * The path of our FerretDB, built now if it was not built before; null where Go is missing or the build fails.
 * The binary lies outside the tree under the hash of its sources. Two processes that build at once each write a file
 * of their own and rename it, so that nobody ever starts half a binary.
 */
export const findFerretdb = async (): Promise<string | null> => {
  const directory = cacheDirectory();
  const binary = join(directory, `ferretdb-${sourceHash()}${SUFFIX}`);
  if (existsSync(binary)) return binary;
  const go = findProgram('go', GO_HOME);
  if (go === null) return null;

  const unfinished = join(directory, `${randomUUID()}${SUFFIX}`);
  process.stderr.write('tests: building FerretDB as the MongoDB server of the tests; once, one to three minutes …\n');
  try {
    await build(go, unfinished);
    renameSync(unfinished, binary);
    process.stderr.write(`tests: FerretDB is built: ${binary}\n`);
    return binary;
  } catch (error) {
    // On Windows a rename onto a binary that runs is refused: then the other process's build is the one to use.
    if (existsSync(binary)) return binary;
    process.stderr.write(`tests: FerretDB could not be built: ${String(error)}\n`);
    return null;
  } finally {
    rmSync(unfinished, { force: true });
  }
};
