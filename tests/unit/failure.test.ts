import { expect, test } from '@jest/globals';
import { AppError } from '../../src/lib/errors.ts';
import { StoreUnavailableError } from '../../src/models/errors.ts';
import { endingOf } from '../../src/services/replies/failure.ts';
import { ReplyStopped } from '../../src/services/replies/liveReply.ts';

test.each([
  [
    'a database that went away before a model was asked',
    new StoreUnavailableError('x'),
    'interrupted',
    'STORE_UNAVAILABLE',
  ],
  ['a question that does not fit', new AppError('CONTEXT_TOO_LONG'), 'failed', 'CONTEXT_TOO_LONG'],
  ['the end of the process', new ReplyStopped('shutdown'), 'interrupted', 'SHUTTING_DOWN'],
  ['its user', new ReplyStopped('stopped'), 'stopped', undefined],
  ['a defect', new TypeError('x'), 'failed', 'INTERNAL'],
])('endingOf: a reply ended by %s', (_name, error, status, code) => {
  const ending = endingOf(error);
  expect([ending.status, ending.error?.code]).toEqual([status, code]);
});
