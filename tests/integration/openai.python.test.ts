import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startWorld, type World } from '../support/world.ts';

/** `TEST_OPENAI_PYTHON` names a Python that has the `openai` package; else the machine's own, if it has. */
const python = process.env.TEST_OPENAI_PYTHON ?? 'python3';
const hasClient = spawnSync(python, ['-c', 'import openai'], { timeout: 15_000 }).status === 0;
const testWithPython = hasClient ? test : test.skip;
const HOW_TO = hasClient ? '' : ' (TEST_OPENAI_PYTHON names a Python with the package `openai`)';
const SCRIPT = fileURLToPath(new URL('../support/openai_client.py', import.meta.url));

let world: World;
beforeAll(async () => {
  world = await startWorld({
    models: [
      'sim/words:3',
      'sim/tools:2',
      'sim/reasoning',
      'sim/stall-mid:2',
      'sim/err-mid:2',
      'sim/400-context',
      'sim/500',
    ],
  });
});
afterAll(() => world.stop());

testWithPython(
  `the official Python client, given the door’s address, finds all that it knows there${HOW_TO}`,
  async () => {
    const { accessToken } = await world.signUp();
    const { stdout } = await promisify(execFile)(python, [SCRIPT, `${world.url}/v1`, accessToken]);
    expect(JSON.parse(stdout)).toEqual({
      version: expect.any(String),
      plain: ['word1 word2 word3', 'stop', 'sim/words:3', 1],
      stream: 'word1 word2 word3',
      ends: ['stop', 1, 0],
      tools: ['Zürich', 'Zürich'],
      models: ['auto', 'sim/words:3'],
      reasoning: 'Let me think.',
      errors: {
        model: ['NotFoundError', 404, 'model_not_found', 'model'],
        key: ['AuthenticationError', 401, 'invalid_api_key', null],
        field: ['BadRequestError', 400, 'invalid_value', 'n'],
        context: ['BadRequestError', 400, 'context_length_exceeded', 'messages'],
        broken: ['APIError', null, 'overloaded', null],
        refused: ['InternalServerError', 503, 'overloaded', null],
      },
    });
    const left = world.upstream.log.find(({ model }) => model === 'sim/stall-mid:2')!;
    await left.settled;
    expect(left.abortedAt).not.toBeNull();
  },
);
