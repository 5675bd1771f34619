import { sessionSchema } from './auth.schemas.ts';
import {
  beginSignInSchema,
  exchangeCodeSchema,
  identitiesSchema,
  identitySchema,
  linkIdentitySchema,
  providersSchema,
  removeIdentitySchema,
} from './oidc.schemas.ts';
import type { Operation } from './openapi.operation.ts';

/** Sign-in by OpenID Connect. */
export const oidcOperations: readonly Operation[] = [
  {
    id: 'listSignInProviders',
    method: 'get',
    path: '/api/auth/oidc',
    tag: 'Accounts',
    summary: 'The services that users can sign in with',
    description: 'What `OIDC_PROVIDERS` names: a button of the login page for each.',
    auth: 'none',
    answers: { 200: { description: 'All of them', schema: providersSchema } },
    errors: [],
  },
  {
    id: 'beginSignIn',
    method: 'get',
    path: '/api/auth/oidc/{provider}',
    tag: 'Accounts',
    summary: 'Sign in with another service',
    description:
      'For a browser to open: it is sent to the provider, and comes back to `returnTo`, an address of this server or an allowed ' +
      'origin, or of an app (`OIDC_APP_SCHEMES`). `session=cookie` logs it in by cookies; `session=token` gives it `?code=`, ' +
      'which who knows the verifier of `codeChallenge` trades for tokens; `session=link` gives it one for `POST /api/auth/identities`. ' +
      'What goes wrong comes back as `?error=`.',
    auth: 'none',
    query: beginSignInSchema,
    answers: { 303: { description: 'To the provider', headers: ['Location', 'Set-Cookie'] } },
    errors: ['NOT_FOUND', 'PROVIDER_UNAVAILABLE'],
  },
  {
    id: 'endSignIn',
    method: 'get',
    path: '/api/auth/oidc/{provider}/callback',
    tag: 'Accounts',
    summary: 'Where the provider sends the browser back to',
    description: 'The redirect URI to register at the provider, below `PUBLIC_URL`. Nothing for a frontend to call.',
    auth: 'none',
    answers: { 303: { description: 'To `returnTo`', headers: ['Location', 'Set-Cookie'] } },
    errors: ['SIGN_IN_FAILED', 'NOT_FOUND'],
  },
  {
    id: 'exchangeCode',
    method: 'post',
    path: '/api/auth/oidc/token',
    tag: 'Accounts',
    summary: 'Trade the code of a sign-in for tokens',
    description: 'Good once, for a minute, with the verifier of the `codeChallenge` that the sign-in began with.',
    auth: 'none',
    body: exchangeCodeSchema,
    example: { code: '…', codeVerifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk' },
    answers: { 200: { description: 'A new login', schema: sessionSchema } },
    errors: ['TOKEN_INVALID', 'MFA_REQUIRED', 'ACCOUNT_DISABLED', 'EMAIL_NOT_VERIFIED'],
  },
  {
    id: 'listIdentities',
    method: 'get',
    path: '/api/auth/identities',
    tag: 'Accounts',
    summary: 'The accounts at other services that sign in to this one',
    auth: 'user',
    answers: { 200: { description: 'All of them, the oldest first', schema: identitiesSchema } },
    errors: [],
  },
  {
    id: 'linkIdentity',
    method: 'post',
    path: '/api/auth/identities',
    tag: 'Accounts',
    summary: 'Add an account at another service as a way in',
    description:
      'By the code of a sign-in that began with `session=link`. Needs `currentPassword`, or of an account without a password a login of the last ten minutes.',
    auth: 'user',
    body: linkIdentitySchema,
    example: {
      code: '…',
      codeVerifier: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
      currentPassword: 'Analytical-1843',
    },
    answers: { 201: { description: 'It is linked, or was already', schema: identitySchema } },
    errors: ['IDENTITY_TAKEN', 'INVALID_CREDENTIALS', 'TOO_MANY_FAILURES', 'EMAIL_NOT_VERIFIED'],
  },
  {
    id: 'removeIdentity',
    method: 'delete',
    path: '/api/auth/identities/{id}',
    tag: 'Accounts',
    summary: 'Take such a way in away',
    description: 'Never the last one: set a password first. Logins that began by it go on.',
    auth: 'user',
    body: removeIdentitySchema,
    example: { currentPassword: 'Analytical-1843' },
    answers: { 204: { description: 'Removed' } },
    errors: ['IDENTITY_NOT_FOUND', 'INVALID_CREDENTIALS', 'TOO_MANY_FAILURES'],
  },
];
