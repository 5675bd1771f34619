import { pageOf } from './common.ts';
import { createdKeySchema, createKeySchema, keySchema } from './keys.schemas.ts';
import { loginViewSchema, pageSchema, signInSchema } from './logins.schemas.ts';
import type { Operation } from './openapi.operation.ts';

/** What users see to themselves: their logins and their API keys. */
export const loginOperations: readonly Operation[] = [
  {
    id: 'listLogins',
    method: 'get',
    path: '/api/auth/sessions',
    tag: 'Accounts',
    summary: 'The devices that are signed in',
    description: 'The newest first; at most 20, the twenty-first ends the one that was not seen for longest.',
    auth: 'user',
    query: pageSchema,
    answers: { 200: { description: 'A page of logins', schema: pageOf(loginViewSchema) } },
    errors: ['CURSOR_INVALID'],
  },
  {
    id: 'revokeLogin',
    method: 'delete',
    path: '/api/auth/sessions/{id}',
    tag: 'Accounts',
    summary: 'Sign a device out',
    description:
      'Its tokens are no good from then on; its sockets and event streams are closed. The own login: the same as logging out.',
    auth: 'user',
    answers: { 204: { description: 'Signed out', headers: ['Set-Cookie'] } },
    errors: ['LOGIN_NOT_FOUND'],
  },
  {
    id: 'listSignIns',
    method: 'get',
    path: '/api/auth/history',
    tag: 'Accounts',
    summary: 'Who signed in to the account, or tried to',
    description: 'The last 90 days, the newest first.',
    auth: 'user',
    query: pageSchema,
    answers: { 200: { description: 'A page of sign-ins', schema: pageOf(signInSchema) } },
    errors: ['CURSOR_INVALID'],
  },
  {
    id: 'listKeys',
    method: 'get',
    path: '/api/keys',
    tag: 'Accounts',
    summary: 'The API keys of the account',
    auth: 'user',
    query: pageSchema,
    answers: { 200: { description: 'A page of keys, without the keys themselves', schema: pageOf(keySchema) } },
    errors: ['CURSOR_INVALID'],
  },
  {
    id: 'createKey',
    method: 'post',
    path: '/api/keys',
    tag: 'Accounts',
    summary: 'Make an API key for a program',
    description:
      'It is sent as `Authorization: Bearer parley_sk_…`, over REST, `/v1`, Socket.IO and the raw WebSocket. `read` may get chats, messages, models and usage; `chat` may also send and change. ' +
      'No key may do anything with accounts, keys or administration. It has rate limits of its own. At most 50 per user.',
    auth: 'user',
    body: createKeySchema,
    example: { name: 'Nightly report', scopes: ['read'] },
    answers: { 201: { description: 'The key, shown here and never again', schema: createdKeySchema } },
    errors: [],
  },
  {
    id: 'revokeKey',
    method: 'delete',
    path: '/api/keys/{id}',
    tag: 'Accounts',
    summary: 'Revoke an API key',
    description: 'It is no good from then on; what is open with it is closed.',
    auth: 'user',
    answers: { 204: { description: 'Revoked' } },
    errors: ['KEY_NOT_FOUND'],
  },
];
