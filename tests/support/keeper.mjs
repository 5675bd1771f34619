/**
 * Keeps one server for as long as its caller lives: `node keeper.mjs COMMAND ARGUMENT…`, `{directory}` in an argument
 * standing for a temporary directory. Standard input is the lifeline: when it closes, because the caller is done or
 * because it was killed, the server is killed and the directory removed. So no test run leaves a server behind.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [command, ...given] = process.argv.slice(2);
const directory = mkdtempSync(join(tmpdir(), 'parley-mongodb-'));
const server = spawn(
  command,
  given.map((argument) => argument.replace('{directory}', directory)),
  { stdio: ['ignore', 'inherit', 'inherit'], cwd: directory },
);

const end = (code) => {
  rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
  process.exit(code);
};
// Its data are thrown away: there is nothing for it to save.
const kill = () => server.kill('SIGKILL');

server.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  end(1);
});
server.on('exit', (code) => end(code ?? 0));
process.stdin.on('end', kill).on('error', kill).resume();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, kill);
