import { expect, test } from '@jest/globals';
import { Writable } from 'node:stream';
import { createLifecycle, PHASES, type Phase } from '../../src/lib/lifecycle.ts';
import { createLogger } from '../../src/lib/logger.ts';

const logger = createLogger({
  level: 'error',
  service: 'test',
  format: 'json',
  stream: new Writable({ write: (_chunk, _encoding, done) => done() }),
});
const deadlines = Object.fromEntries(PHASES.map((phase) => [phase, 50])) as Record<Phase, number>;

test('phases close in order, within a phase the last opened first, once however often asked', async () => {
  const lifecycle = createLifecycle(logger, deadlines);
  const closed: string[] = [];
  const close = (name: string) => () => void closed.push(name);
  lifecycle.onClose('stores', 'database', close('database'));
  lifecycle.onClose('replies', 'first', close('first'));
  lifecycle.onClose('replies', 'second', close('second'));
  lifecycle.onClose('admission', 'gate', close('gate'));
  expect(lifecycle.isClosing()).toBe(false);
  const all = [lifecycle.close(), lifecycle.close()];
  expect(lifecycle.isClosing()).toBe(true);
  await Promise.all(all);
  expect(closed).toEqual(['gate', 'second', 'first', 'database']);
});

test('a closer that throws or hangs does not keep the next from closing', async () => {
  const lifecycle = createLifecycle(logger, deadlines);
  let isClosed = false;
  lifecycle.onClose('stores', 'database', () => {
    isClosed = true;
  });
  lifecycle.onClose('http', 'throws', () => Promise.reject(new Error('no')));
  lifecycle.onClose('sockets', 'hangs', () => new Promise(() => undefined));
  await lifecycle.close();
  expect(isClosed).toBe(true);
});
