import { z } from 'zod';
import type { Operation } from './openapi.operation.ts';

const liveSchema = z.strictObject({ status: z.literal('ok') });
const readySchema = z
  .strictObject({
    status: z.enum(['ok', 'unavailable']),
    checks: z.strictObject({ database: z.enum(['up', 'down']), accepting: z.boolean() }),
  })
  .meta({ id: 'Readiness' });

/** What the people who run the server ask, and this documentation itself. */
export const systemOperations: readonly Operation[] = [
  {
    id: 'health',
    method: 'get',
    path: '/health',
    tag: 'Operations',
    summary: 'Whether the process is alive',
    description: 'Touches nothing else, so that an outage of the database restarts no node.',
    auth: 'none',
    answers: { 200: { description: 'Alive', schema: liveSchema } },
    errors: [],
  },
  {
    id: 'ready',
    method: 'get',
    path: '/health/ready',
    tag: 'Operations',
    summary: 'Whether this node should get traffic',
    auth: 'none',
    answers: {
      200: { description: 'Ready', schema: readySchema },
      503: { description: 'The database does not answer, or the node is shutting down', schema: readySchema },
    },
    errors: [],
  },
  {
    id: 'openapi',
    method: 'get',
    path: '/openapi.json',
    aliases: ['/api/openapi.json'],
    tag: 'Operations',
    summary: 'This description, for machines',
    auth: 'none',
    answers: { 200: { description: 'An OpenAPI 3.1 document', mediaType: 'application/json' } },
    errors: [],
  },
  {
    id: 'docs',
    method: 'get',
    path: '/docs',
    aliases: ['/api/docs'],
    tag: 'Operations',
    summary: 'This description, for people',
    auth: 'none',
    answers: { 200: { description: 'A page', mediaType: 'text/html' } },
    errors: [],
  },
  {
    id: 'errorDocs',
    method: 'get',
    path: '/docs/errors',
    aliases: ['/api/docs/errors'],
    tag: 'Operations',
    summary: 'Every error code; where a problem’s `type` leads',
    auth: 'none',
    answers: { 200: { description: 'A page', mediaType: 'text/html' } },
    errors: [],
  },
];
