import { z } from 'zod';
import type { Identity } from '../models/entities.ts';
import { passwordField } from './auth.schemas.ts';
import { pageOf, timestamp } from './common.ts';

export const providerSchema = z
  .strictObject({
    id: z.string().meta({ description: 'As it stands in `/api/auth/oidc/<id>`' }),
    label: z.string().meta({ description: 'For a button of the login page' }),
  })
  .meta({ id: 'SignInProvider' });
type ProviderView = z.infer<typeof providerSchema>;

export const providersSchema = pageOf(providerSchema);

export const toProviderView = ({ id, label }: ProviderView): ProviderView => ({ id, label });

/** base64url of 32 bytes: a SHA-256. */
const challenge = z.string().regex(/^[\w-]{43}$/, 'must be the base64url SHA-256 of a code verifier');
/** RFC 7636 §4.1. */
const verifier = z.string().regex(/^[\w.~-]{43,128}$/, 'must have 43–128 characters of A–Z, a–z, 0–9 and -._~');

export const beginSignInSchema = z
  .strictObject({
    returnTo: z.string().min(1).max(2000).optional(),
    session: z.enum(['cookie', 'token', 'link']).default('cookie'),
    codeChallenge: challenge.optional(),
  })
  .refine(({ session, codeChallenge }) => (session === 'cookie') === (codeChallenge === undefined), {
    path: ['codeChallenge'],
    error: 'belongs to session=token and session=link',
  });
export type BeginSignIn = z.output<typeof beginSignInSchema>;

export const exchangeCodeSchema = z
  .strictObject({
    code: z.string().min(1).max(2048),
    codeVerifier: verifier,
    /** What an earlier login on this device answered. */
    deviceToken: z.string().max(128).optional(),
  })
  .meta({ id: 'ExchangeCode' });
export type ExchangeCode = z.output<typeof exchangeCodeSchema>;

export const identitySchema = z
  .strictObject({
    id: z.string(),
    provider: z.string(),
    email: z.string().nullable().meta({ description: 'The address that it had there when it was linked' }),
    createdAt: timestamp,
    lastUsedAt: timestamp,
  })
  .meta({ id: 'Identity' });

export const identitiesSchema = pageOf(identitySchema);

/** Issuer and subject stay here: nobody has use for them, and they tell accounts at other services apart. */
export const toIdentityView = (identity: Identity): z.infer<typeof identitySchema> => ({
  id: identity.id,
  provider: identity.provider,
  email: identity.email,
  createdAt: identity.createdAt.toISOString(),
  lastUsedAt: identity.lastUsedAt.toISOString(),
});

/** Not needed by an account that has none. */
const currentPassword = passwordField.optional();

export const linkIdentitySchema = z
  .strictObject({ code: z.string().min(1).max(2048), codeVerifier: verifier, currentPassword })
  .meta({ id: 'LinkIdentity' });
export type LinkIdentity = z.output<typeof linkIdentitySchema>;

export const removeIdentitySchema = z.strictObject({ currentPassword }).meta({ id: 'RemoveIdentity' });
export type RemoveIdentity = z.output<typeof removeIdentitySchema>;
