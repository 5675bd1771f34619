import { z } from 'zod';
import {
  deleteMeSchema,
  loginSchema,
  logoutQuerySchema,
  refreshSchema,
  sessionSchema,
  signupSchema,
  ticketSchema,
  updateMeSchema,
  userSchema,
} from './auth.schemas.ts';
import { verificationSentSchema } from './accountMail.schemas.ts';
import { tokenFormSchema, tokenResponseSchema } from './oauth.schemas.ts';
import type { Operation } from './openapi.operation.ts';

const me = z.strictObject({ user: userSchema });
const setsCookies = ['Set-Cookie'];
const sessions =
  '`session: "cookie"` (the default) sets both tokens as `HttpOnly` cookies and leaves the refresh token out of the body; ' +
  '`session: "token"` returns both in the body and sets no cookie.';

/** The core of accounts. */
export const authOperations: readonly Operation[] = [
  {
    id: 'signup',
    method: 'post',
    path: '/api/auth/signup',
    aliases: ['/api/auth/register'],
    tag: 'Accounts',
    summary: 'Make an account and log in',
    description: `Usernames are unique without regard to case. A password has 8–128 characters with upper and lower case and a digit, and is not a common one. ${sessions}`,
    auth: 'none',
    body: signupSchema,
    example: { username: 'ada', email: 'ada@example.com', password: 'Analytical-1843' },
    answers: {
      201: { description: 'The account, logged in', schema: sessionSchema, headers: setsCookies },
      202: {
        description:
          'With `REQUIRE_EMAIL_VERIFICATION`: a mail tells how it goes on, also when the address has an account',
        schema: verificationSentSchema,
      },
    },
    errors: ['USERNAME_TAKEN', 'EMAIL_TAKEN'],
  },
  {
    id: 'login',
    method: 'post',
    path: '/api/auth/login',
    tag: 'Accounts',
    summary: 'Log in by username or e-mail',
    description: `Wrong name and wrong password are answered alike. An account with a second factor is answered \`MFA_REQUIRED\` with \`mfaToken\`: go on with \`POST /api/auth/mfa\`. ${sessions}`,
    auth: 'none',
    body: loginSchema,
    example: { username: 'ada', password: 'Analytical-1843' },
    answers: { 200: { description: 'A new login', schema: sessionSchema, headers: setsCookies } },
    errors: ['INVALID_CREDENTIALS', 'MFA_REQUIRED', 'TOO_MANY_FAILURES', 'ACCOUNT_DISABLED', 'EMAIL_NOT_VERIFIED'],
  },
  {
    id: 'token',
    method: 'post',
    path: '/api/auth/token',
    tag: 'Accounts',
    summary: 'The same for OAuth 2.0 clients',
    description:
      'RFC 6749: a form in, §5.1 out, errors as §5.2. `OAUTH_PASSWORD_GRANT=false` turns the password grant off.',
    auth: 'none',
    body: tokenFormSchema,
    isForm: true,
    example: { grant_type: 'password', username: 'ada', password: 'Analytical-1843' },
    answers: { 200: { description: 'Tokens', schema: tokenResponseSchema } },
    errors: [],
  },
  {
    id: 'refresh',
    method: 'post',
    path: '/api/auth/refresh',
    tag: 'Accounts',
    summary: 'Trade the refresh token for new tokens',
    description:
      'By cookie, or with the token in the body. Every refresh token is good once; using a spent one again, outside ten seconds of grace for retries, ends the login.',
    auth: 'none',
    body: refreshSchema,
    example: { refreshToken: '…' },
    answers: { 200: { description: 'New tokens', schema: sessionSchema, headers: setsCookies } },
    errors: ['UNAUTHENTICATED', 'TOKEN_INVALID', 'TOKEN_EXPIRED', 'TOKEN_REVOKED', 'ACCOUNT_DISABLED', 'FORBIDDEN'],
  },
  {
    id: 'logout',
    method: 'post',
    path: '/api/auth/logout',
    tag: 'Accounts',
    summary: 'End this login, or all of them',
    description: 'Its tokens are no good from then on, and its sockets are closed. Clears the cookies in any case.',
    auth: 'user',
    query: logoutQuerySchema,
    answers: { 204: { description: 'Logged out', headers: setsCookies } },
    errors: [],
  },
  {
    id: 'getMe',
    method: 'get',
    path: '/api/auth/me',
    tag: 'Accounts',
    summary: 'Who am I',
    auth: 'user',
    answers: { 200: { description: 'The account', schema: me } },
    errors: [],
  },
  {
    id: 'updateMe',
    method: 'patch',
    path: '/api/auth/me',
    tag: 'Accounts',
    summary: 'Change the profile',
    description: 'A new e-mail address needs `currentPassword`, and is to be verified anew.',
    auth: 'user',
    body: updateMeSchema,
    example: { fullName: 'Ada Lovelace' },
    answers: { 200: { description: 'The account as it is now', schema: me } },
    errors: ['USERNAME_TAKEN', 'EMAIL_TAKEN', 'INVALID_CREDENTIALS', 'TOO_MANY_FAILURES'],
  },
  {
    id: 'deleteMe',
    method: 'delete',
    path: '/api/auth/me',
    tag: 'Accounts',
    summary: 'Delete the account with all it owns',
    auth: 'user',
    body: deleteMeSchema,
    example: { password: 'Analytical-1843' },
    answers: { 204: { description: 'Gone, and with it every chat, message and login', headers: setsCookies } },
    errors: ['INVALID_CREDENTIALS', 'TOO_MANY_FAILURES'],
  },
  {
    id: 'createTicket',
    method: 'post',
    path: '/api/auth/ticket',
    tag: 'Accounts',
    summary: 'A one-use pass for an event stream’s URL',
    description: 'For `EventSource`, which cannot set a header: `…/stream?ticket=`. Good once, for 30 seconds.',
    auth: 'user',
    answers: { 200: { description: 'The ticket', schema: ticketSchema } },
    errors: [],
  },
];
