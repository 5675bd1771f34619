import { afterEach, describe, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { waitFor } from '../support/waitFor.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/simulator.mjs', import.meta.url));

interface Run {
  readonly child: ChildProcess;
  readonly exited: Promise<number | NodeJS.Signals | null>;
  stdout(): string;
  stderr(): string;
}

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

const run = (...args: string[]): Run => {
  const child = spawn(process.execPath, [SCRIPT, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (chunk: Buffer) => (output[name] += chunk.toString()));
  return {
    child,
    exited: once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals | null),
    stdout: () => output.stdout,
    stderr: () => output.stderr,
  };
};

/** The base URL that it prints. */
const urlOf = (started: Run): Promise<string> =>
  waitFor(() => /^Parley simulator: (\S+)$/m.exec(started.stdout())?.[1] ?? null);

describe('npm run simulator', () => {
  test('started, says how to use it, answers and fails as asked, and ends with 0 on SIGTERM', async () => {
    const started = run('--port', '0', '--fast', '--key', 'a-key', '--models', 'a/b,sim/words:2', '--seed', '3');
    const baseURL = await urlOf(started);
    expect(new URL(baseURL).hostname).toBe('127.0.0.1');
    expect(started.stdout()).toContain(
      `OPENROUTER_BASE_URL=${baseURL} OPENROUTER_API_KEY=a-key OPENROUTER_MODELS=a/b,sim/words:2 npm start`,
    );
    const client = new OpenAI({ baseURL, apiKey: 'a-key', maxRetries: 0 });
    const messages = [{ role: 'user' as const, content: 'Hello' }];
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['a/b', 'sim/words:2']);
    const plain = await client.chat.completions.create({ model: 'sim/words:2', messages });
    expect(plain.choices[0]!.message.content).toBe('word1 word2');
    const words: string[] = [];
    const stream = await client.chat.completions.create({ model: 'sim/words:3', messages, stream: true });
    for await (const { choices } of stream) words.push(choices[0]?.delta.content ?? '');
    expect(words.join('')).toBe('word1 word2 word3');
    await expect(client.chat.completions.create({ model: 'sim/429-day', messages })).rejects.toMatchObject({
      status: 429,
    });
    const wrong = new OpenAI({ baseURL, apiKey: 'another', maxRetries: 0 });
    await expect(wrong.chat.completions.create({ model: 'a/b', messages })).rejects.toMatchObject({ status: 401 });
    const log = (await (await fetch(new URL('/__sim/log', baseURL))).json()) as { attempts: { model: string }[] };
    expect(log.attempts.map(({ model }) => model)).toEqual(['sim/words:2', 'sim/words:3', 'sim/429-day']);

    // Also while somebody waits for an answer.
    const silent = client.chat.completions.create({ model: 'sim/stall-headers', messages }).catch((e: unknown) => e);
    await waitFor(async () => (await (await fetch(new URL('/__sim/log', baseURL))).text()).includes('stall-headers'));
    started.child.kill('SIGTERM');
    expect(await started.exited).toBe(0);
    expect(await silent).toBeInstanceOf(OpenAI.APIConnectionError);
    expect(started.stderr()).toBe('');
  });

  test.each<[string, string[], string]>([
    ['an unknown flag', ['--prot', '1'], '--prot'],
    ['a word', ['start'], 'start'],
    ['a port that is none', ['--port', 'x'], '--port must be a whole number from 0 to 65535, not "x"'],
    ['a port that is too high', ['--port', '70000'], '--port must be'],
    ['a seed that is none', ['--seed', '-1'], '--seed'],
    ['a key that no header can carry', ['--key', 'ä b'], '--key must be printable'],
    ['no model', ['--models', ','], '--models must name at least one model'],
    ['an address for others without a key', ['--host', '0.0.0.0'], 'give them a --key'],
  ])('given %s, says so and ends with 2', async (_what, args, message) => {
    const started = run(...args);
    expect(await started.exited).toBe(2);
    expect(started.stderr()).toContain(message);
    expect(started.stderr()).toContain('--help');
    expect(started.stdout()).toBe('');
  });

  test('asked for help and for its modes, prints them and ends with 0', async () => {
    const [help, modes] = [run('--help'), run('--list-modes')];
    expect([await help.exited, await modes.exited]).toEqual([0, 0]);
    expect(help.stdout()).toMatch(/--port[^]*--host[^]*--key[^]*--models[^]*--seed[^]*--fast[^]*--list-modes/);
    expect(modes.stdout()).toMatch(/^cut-after:N +the answer ends/m);
  });

  test('on a port that is taken, says so and ends with 1', async () => {
    const first = run('--port', '0');
    const { port } = new URL(await urlOf(first));
    const second = run('--port', port);
    expect(await second.exited).toBe(1);
    expect(second.stderr()).toContain('EADDRINUSE');
  });
});
