import { z } from 'zod';
import { auditEventSchema, listEventsSchema, listUsersSchema, statsSchema, updateUserSchema } from './admin.schemas.ts';
import { userSchema } from './auth.schemas.ts';
import { pageOf } from './common.ts';
import type { Operation } from './openapi.operation.ts';

const oneUser = z.strictObject({ user: userSchema });

/** What admins do; chats of others can be read by nobody. */
export const adminOperations: readonly Operation[] = [
  {
    id: 'listUsers',
    method: 'get',
    path: '/api/admin/users',
    tag: 'Administration',
    summary: 'All users, the newest first',
    auth: 'user',
    query: listUsersSchema,
    answers: { 200: { description: 'A page of users', schema: pageOf(userSchema) } },
    errors: ['CURSOR_INVALID'],
  },
  {
    id: 'getUser',
    method: 'get',
    path: '/api/admin/users/{id}',
    tag: 'Administration',
    summary: 'One user',
    auth: 'user',
    answers: { 200: { description: 'The user', schema: oneUser } },
    errors: ['USER_NOT_FOUND'],
  },
  {
    id: 'updateUser',
    method: 'patch',
    path: '/api/admin/users/{id}',
    tag: 'Administration',
    summary: 'Change a role, disable or enable an account',
    description:
      'Disabling ends every login, API key and connection of the user at once and for good. The last active admin stays one.',
    auth: 'user',
    body: updateUserSchema,
    example: { status: 'disabled' },
    answers: { 200: { description: 'The user as it is now', schema: oneUser } },
    errors: ['USER_NOT_FOUND'],
  },
  {
    id: 'deleteUser',
    method: 'delete',
    path: '/api/admin/users/{id}',
    tag: 'Administration',
    summary: 'Delete a user with all that they own',
    description: 'Events of the audit log stay, without the address and device of the user.',
    auth: 'user',
    answers: { 204: { description: 'Gone' } },
    errors: ['USER_NOT_FOUND'],
  },
  {
    id: 'signOutUser',
    method: 'post',
    path: '/api/admin/users/{id}/sign-out',
    tag: 'Administration',
    summary: 'End every login of a user',
    description: 'API keys stay good.',
    auth: 'user',
    answers: { 204: { description: 'Signed out everywhere' } },
    errors: ['USER_NOT_FOUND'],
  },
  {
    id: 'removeSecondFactor',
    method: 'delete',
    path: '/api/admin/users/{id}/mfa',
    tag: 'Administration',
    summary: 'Switch off the second factor of a user',
    description:
      'For a user who lost authenticator and recovery codes, once you are sure who is asking. The user is told by mail. Not for the own account.',
    auth: 'user',
    answers: { 204: { description: 'The password alone is enough again' } },
    errors: ['USER_NOT_FOUND'],
  },
  {
    id: 'listAuditEvents',
    method: 'get',
    path: '/api/admin/audit',
    tag: 'Administration',
    summary: 'Security events, the newest first',
    description: 'Kept for `AUDIT_RETENTION_DAYS`; nobody can change or delete them before.',
    auth: 'user',
    query: listEventsSchema,
    answers: { 200: { description: 'A page of events', schema: pageOf(auditEventSchema) } },
    errors: ['CURSOR_INVALID'],
  },
  {
    id: 'getStats',
    method: 'get',
    path: '/api/admin/stats',
    tag: 'Administration',
    summary: 'How much there is of everything',
    description: 'For managers, too.',
    auth: 'user',
    answers: { 200: { description: 'The counts', schema: statsSchema } },
    errors: [],
  },
];
