import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const isRoot = process.platform === 'linux' && process.getuid?.() === 0;
export const hasTmpfs = isRoot && spawnSync('mount', ['--version']).status === 0;
export const hasStrace =
  spawnSync('strace', ['-f', '-qq', '-o', '/dev/null', 'true'], { stdio: 'ignore' }).status === 0;

/** A small disk of its own. */
export interface SmallDisk {
  readonly directory: string;
  /** Takes every byte that is left. */
  fill(): void;
  /** Gives them back. */
  free(): void;
  remove(): void;
}

export const mountSmallDisk = (megabytes: number): SmallDisk => {
  const directory = mkdtempSync(join(tmpdir(), 'parley-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${String(megabytes)}m`, 'tmpfs', directory]);
  const ballast = join(directory, 'ballast');
  return {
    directory,
    fill: () => {
      const block = Buffer.alloc(4096);
      const file = openSync(ballast, 'w');
      try {
        // Not as much as was free a moment ago: the server writes of itself in between.
        for (;;) writeSync(file, block);
      } catch (error) {
        if (!Error.isError(error) || !('code' in error) || error.code !== 'ENOSPC') throw error;
      } finally {
        closeSync(file);
      }
    },
    free: () => rmSync(ballast),
    remove: () => {
      execFileSync('umount', ['-l', directory]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
};

/** Makes system calls of a running process fail until `end`, such as `fsync,fdatasync:error=EIO`. */
export const injectFaults = async (pid: number, fault: string): Promise<{ end: () => Promise<void> }> => {
  const [calls = ''] = fault.split(':');
  const args = ['-f', '-e', `trace=${calls}`, '-e', `inject=${fault}`, '-o', '/dev/null', '-p', String(pid)];
  const strace: ChildProcess = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  // It says so on standard error once it is attached to the process with all its threads.
  for await (const chunk of strace.stderr!) if (String(chunk).includes('attached')) break;
  return {
    end: async () => {
      const exited = once(strace, 'exit');
      strace.kill('SIGINT');
      await exited;
    },
  };
};
