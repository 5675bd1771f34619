import type { Operation } from './openapi.operation.ts';
import { usageAttemptsPageSchema, usageAttemptsSchema, usageSchema, usageViewSchema } from './usage.schemas.ts';

const DAYS = 'The period is counted in whole UTC days; the answer says which.';

/** What models cost. */
export const usageOperations: readonly Operation[] = [
  {
    id: 'getUsage',
    method: 'get',
    path: '/api/usage',
    tag: 'Usage',
    summary: 'Tokens, cost and quotas',
    description:
      `Everything that models answered to you, added up: in all, by day and by model; and how your quotas stand now. ${DAYS} ` +
      'A call counts on the day on which it ended. `GET /api/usage/attempts` lists the calls that these numbers add up.',
    auth: 'user',
    query: usageSchema,
    answers: { 200: { description: 'The books of the period', schema: usageViewSchema } },
    errors: [],
  },
  {
    id: 'listUsageAttempts',
    method: 'get',
    path: '/api/usage/attempts',
    tag: 'Usage',
    summary: 'Call by call',
    description:
      `Each call of a model, the newest first: what it was for, what it cost, why it was made and how it ended. ${DAYS} ` +
      'Over all pages of a period the sums are those of `GET /api/usage`. A call whose stream told no tokens is listed some ' +
      'seconds later, when the endpoint’s own books were asked; where it has none, the tokens are a guess (`estimated`).',
    auth: 'user',
    query: usageAttemptsSchema,
    answers: { 200: { description: 'A page of calls', schema: usageAttemptsPageSchema } },
    errors: ['CURSOR_INVALID'],
  },
];
