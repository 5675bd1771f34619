import { describe, expect, test } from '@jest/globals';
import { AppError } from '../../src/lib/errors.ts';
import { toProblem } from '../../src/schemas/problem.ts';

describe('toProblem', () => {
  test('an unknown error, rendered, tells nothing of its cause', () => {
    const problem = toProblem(new Error('connect mongodb://user:pw@db'), 'req-1');
    expect(problem).toEqual({
      type: '/docs/errors#INTERNAL',
      title: 'Something went wrong on the server',
      status: 500,
      code: 'INTERNAL',
      detail: 'Something went wrong on the server',
      requestId: 'req-1',
      retryable: false,
    });
  });

  test('an AppError, rendered, carries its detail, fields, wait and ids', () => {
    const error = new AppError('RATE_LIMITED', {
      detail: 'Slow down',
      errors: [{ path: 'a.0', message: 'is wrong' }],
      retryAfterMs: 1500,
      extra: { chatId: 'c1' },
    });
    expect(toProblem(error, 'req-2')).toMatchObject({
      status: 429,
      detail: 'Slow down',
      retryable: true,
      retryAfterMs: 1500,
      errors: [{ path: 'a.0', message: 'is wrong' }],
      chatId: 'c1',
    });
  });
});
