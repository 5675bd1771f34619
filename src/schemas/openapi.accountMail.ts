import {
  changePasswordSchema,
  mailAddressSchema,
  resetPasswordSchema,
  verifyEmailSchema,
} from './accountMail.schemas.ts';
import type { Operation } from './openapi.operation.ts';

const LINK_TOKEN = 'wR3dNsoyZ7mE1Yf0K5cJXb8uQ2vT4hLgA6iPxD9kVtM';
const SAME = 'The answer is the same, and as fast, whether the address has an account or not.';

/** Passwords, and what is done by links in mails. */
export const accountMailOperations: readonly Operation[] = [
  {
    id: 'changePassword',
    method: 'post',
    path: '/api/auth/password',
    tag: 'Accounts',
    summary: 'Change the password',
    description: 'Every other login ends; API keys stay. The user is told by mail.',
    auth: 'user',
    body: changePasswordSchema,
    example: { currentPassword: 'Analytical-1843', newPassword: 'Difference-1822' },
    answers: { 204: { description: 'Changed' } },
    errors: ['INVALID_CREDENTIALS', 'TOO_MANY_FAILURES'],
  },
  {
    id: 'verifyEmail',
    method: 'post',
    path: '/api/auth/verify-email',
    tag: 'Accounts',
    summary: 'Verify the e-mail address by the link that was sent to it',
    description: 'Links lead to `PUBLIC_URL` with `#token=…`; each is good once, for 24 hours, and the newest only.',
    auth: 'none',
    body: verifyEmailSchema,
    example: { token: LINK_TOKEN },
    answers: { 204: { description: 'Verified' } },
    errors: ['TOKEN_INVALID'],
  },
  {
    id: 'resendVerification',
    method: 'post',
    path: '/api/auth/resend-verification',
    tag: 'Accounts',
    summary: 'Send the link to verify an address again',
    description: SAME,
    auth: 'none',
    body: mailAddressSchema,
    example: { email: 'ada@example.com' },
    answers: { 202: { description: 'If there is something to verify, a mail is on its way' } },
    errors: [],
  },
  {
    id: 'forgotPassword',
    method: 'post',
    path: '/api/auth/forgot-password',
    tag: 'Accounts',
    summary: 'Ask for a link to set a new password',
    description: SAME,
    auth: 'none',
    body: mailAddressSchema,
    example: { email: 'ada@example.com' },
    answers: { 202: { description: 'If the address has an account, a mail is on its way' } },
    errors: [],
  },
  {
    id: 'resetPassword',
    method: 'post',
    path: '/api/auth/reset-password',
    tag: 'Accounts',
    summary: 'Set a new password by the link that was sent',
    description: 'Every login ends; log in with the new password then. A link is good once, for 30 minutes.',
    auth: 'none',
    body: resetPasswordSchema,
    example: { token: LINK_TOKEN, newPassword: 'Difference-1822' },
    answers: { 204: { description: 'Set' } },
    errors: ['TOKEN_INVALID'],
  },
];
