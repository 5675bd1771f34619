import { z } from 'zod';
import { sessionSchema } from './auth.schemas.ts';
import {
  confirmTotpSchema,
  finishLoginSchema,
  removeTotpSchema,
  totpOfferSchema,
  totpStatusSchema,
} from './mfa.schemas.ts';
import type { Operation } from './openapi.operation.ts';

/** The second factor. */
export const mfaOperations: readonly Operation[] = [
  {
    id: 'finishLogin',
    method: 'post',
    path: '/api/auth/mfa',
    tag: 'Accounts',
    summary: 'Finish a login that was answered MFA_REQUIRED',
    description:
      'With `code`, which the authenticator shows, or a `recoveryCode`. The `mfaToken` is good for five minutes, for one login. A code is good once, half a minute longer than it is shown.',
    auth: 'none',
    body: finishLoginSchema,
    example: { mfaToken: '…', code: '492039' },
    answers: { 200: { description: 'A new login', schema: sessionSchema, headers: ['Set-Cookie'] } },
    errors: ['INVALID_CREDENTIALS', 'TOKEN_INVALID', 'TOO_MANY_FAILURES', 'ACCOUNT_DISABLED', 'EMAIL_NOT_VERIFIED'],
  },
  {
    id: 'getTotp',
    method: 'get',
    path: '/api/auth/mfa/totp',
    tag: 'Accounts',
    summary: 'Whether there is a second factor, and if not, one to set up',
    description:
      'Every answer without one holds a new secret and new recovery codes. Nothing of it is stored before it is confirmed, within 30 minutes.',
    auth: 'user',
    answers: {
      200: { description: 'How it stands, or what to set up', schema: z.union([totpStatusSchema, totpOfferSchema]) },
    },
    errors: [],
  },
  {
    id: 'confirmTotp',
    method: 'post',
    path: '/api/auth/mfa/totp',
    tag: 'Accounts',
    summary: 'Switch the second factor on',
    description: 'With a code of the authenticator that was set up. Other logins stay. The user is told by mail.',
    auth: 'user',
    body: confirmTotpSchema,
    example: { setupToken: '…', code: '492039', password: 'Analytical-1843' },
    answers: { 200: { description: 'It is on', schema: totpStatusSchema } },
    errors: ['INVALID_CREDENTIALS', 'TOO_MANY_FAILURES'],
  },
  {
    id: 'removeTotp',
    method: 'delete',
    path: '/api/auth/mfa/totp',
    tag: 'Accounts',
    summary: 'Switch the second factor off',
    description: 'With `code` or `recoveryCode`. The user is told by mail.',
    auth: 'user',
    body: removeTotpSchema,
    example: { password: 'Analytical-1843', code: '492039' },
    answers: { 204: { description: 'It is off, or was' } },
    errors: ['INVALID_CREDENTIALS', 'TOO_MANY_FAILURES'],
  },
];
