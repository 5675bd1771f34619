import { expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('../support/closedNode.ts', import.meta.url));

test('a node that was used at every door and is closed, leaves nothing that keeps its process alive', async () => {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', SCRIPT], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const printed = text(child.stdout);
  const [code] = (await once(child, 'close')) as [number | null];
  expect({ code, printed: await printed }).toEqual({ code: 0, printed: '' });
});
