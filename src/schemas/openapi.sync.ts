import type { Operation } from './openapi.operation.ts';
import { syncPageSchema, syncSchema } from './sync.schemas.ts';

/** Catching up. */
export const syncOperations: readonly Operation[] = [
  {
    id: 'sync',
    method: 'get',
    path: '/api/sync',
    tag: 'Chat',
    summary: 'What changed in the account',
    description:
      'Everything that changed since `cursor`, or without one everything there is, in pages: ask again with the answer’s ' +
      '`cursor` until `more` is false, and keep the last one for the next time. An entity may come again; of two copies ' +
      'the higher `rev` wins. A deleted chat stands for its messages too; in which order you apply a page does not matter. ' +
      'A cursor is good for 30 days: at 410 drop what you hold and start without one.',
    auth: 'user',
    query: syncSchema,
    answers: { 200: { description: 'A page of changes', schema: syncPageSchema } },
    errors: ['CURSOR_INVALID', 'CURSOR_EXPIRED'],
  },
];
